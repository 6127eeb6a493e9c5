"""The activations of ONNX's recurrent nodes, with the numbers that the node keeps for them.

https://onnx.ai/onnx/operators/onnx__LSTM.html: `activation_alpha` and `activation_beta` have one number for
each of the activations that take one, in their order; without them the defaults of the operators hold.
"""

from collections.abc import Sequence

from weightbridge.formats.onnx.drafts import decimal
from weightbridge.formats.onnx.proto import Node
from weightbridge.model.activations import Activation, named_hard_sigmoid

DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
NAMES = {"LeakyRelu": "leaky_relu", "ScaledTanh": "scaled_tanh", "ThresholdedRelu": "thresholded_relu"}
TAKES_ALPHA = frozenset({"Affine", "Elu", "HardSigmoid", "LeakyRelu", "ScaledTanh", "ThresholdedRelu"})
TAKES_BETA = frozenset({"Affine", "HardSigmoid", "ScaledTanh"})


def cell_activations(node: Node) -> dict[str, Activation]:
    """`activation`, and `recurrent_activation` where the cell has gates; of the forward direction."""
    given = tuple(node.attributes.get("activations") or DEFAULTS[node.op])
    if node.op == "RNN":
        return {"activation": _activation(node, given, 0)}
    return {
        "activation": _activation(node, given, 1 % len(given)),
        "recurrent_activation": _activation(node, given, 0),
    }


def hidden_activation(node: Node) -> Activation | None:
    """That of an LSTM's output, where it is another one than that of its cells."""
    given = tuple(node.attributes.get("activations") or DEFAULTS[node.op])
    if node.op != "LSTM" or len(given) < len(DEFAULTS["LSTM"]):
        return None
    cell, hidden = _activation(node, given, 1), _activation(node, given, 2)
    return None if cell == hidden else hidden


def backward_activations(node: Node) -> tuple[str, ...]:
    """Those of the backward direction, where they are other ones than the forward direction's."""
    given, count = tuple(node.attributes.get("activations") or ()), len(DEFAULTS[node.op])
    if len(given) < 2 * count:
        return ()
    ways = [[_activation(node, given, first + n) for n in range(count)] for first in (0, count)]
    return () if ways[0] == ways[1] else given[count:]


def _activation(node: Node, given: Sequence[str], index: int) -> Activation:
    name = given[index]
    alphas, betas = (node.attributes.get(f"activation_{word}") or () for word in ("alpha", "beta"))
    alpha = _number(alphas, given[:index], TAKES_ALPHA)
    beta = _number(betas, given[:index], TAKES_BETA)
    match name:
        case "HardSigmoid":
            return named_hard_sigmoid(0.2 if alpha is None else alpha, 0.5 if beta is None else beta)
        case "LeakyRelu":
            return NAMES[name], {"slope": 0.01 if alpha is None else alpha}
        case "Elu" if alpha not in (None, 1.0):
            return "elu", {"alpha": alpha}
        case _:
            return NAMES.get(name, name.lower())


def _number(numbers: Sequence[float], before: Sequence[str], takers: frozenset[str]) -> float | None:
    """The number of the activation that comes after those of `before`."""
    place = sum(name in takers for name in before)
    return decimal(numbers[place]) if place < len(numbers) else None
