"""ONNX's own nodes LSTM, GRU and RNN with the weights of Keras's layers.

Their axes are (steps, batch, features); gates stand in another order than in Keras.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.to_onnx.arrange import arranged, as_keras
from weightbridge.converting.to_onnx.call import Call
from weightbridge.converting.to_onnx.elements import as_floats
from weightbridge.converting.to_onnx.sequences.masked_steps import (
    Steps,
    compacted,
    in_their_places,
    kept_states,
)
from weightbridge.converting.to_onnx.sequences.masks import mask_of
from weightbridge.converting.to_onnx.values import Order
from weightbridge.model.activations import Activation, name_and_parameters
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import CUDNN, OLD_GATES
from weightbridge.model.tensors import Tensor

STEPS_FIRST: Order = (1, 0, 2)
GATES: Mapping[str, tuple[int, ...]] = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}
STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}
ACTIVATIONS: Mapping[str, tuple[str, dict[str, float]]] = {
    "tanh": ("Tanh", {}),
    "sigmoid": ("Sigmoid", {}),
    "relu": ("Relu", {}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "elu": ("Elu", {"alpha": 1.0}),
    "linear": ("Affine", {"alpha": 1.0, "beta": 0.0}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.2}),
    "thresholded_relu": ("ThresholdedRelu", {"alpha": 1.0}),
}
CALLED = {"slope": "alpha", "offset": "beta", "theta": "alpha"}  # Keras's parameters in ONNX's terms


@dataclass(frozen=True, slots=True)
class Run:
    """What a node gives: (steps, directions, batch, units), and states (directions, batch, units).

    last: the last outputs. Where a mask hides every step these are zeros, and the states what they were.
    """

    sequence: str
    states: tuple[str, ...]
    last: str


def run_of(call: Call, directions: Sequence[Layer]) -> Run:
    """The node. directions: the layers that hold the weights, forward first."""
    if call.config.get("time_major") is True:
        raise call.refused("has time before the batch (time_major), which is not written")
    writer, op, steps = call.writer, directions[0].op, mask_of(call)
    value = as_floats(writer, call.first)
    kept = None if steps is None else compacted(writer, value, steps)
    value = arranged(writer, value if kept is None else kept.value, STEPS_FIRST)
    kernels = [_stacked(call, directions, role, op) for role in ("kernel", "recurrent_kernel")]
    states = _given_states(call, len(directions), op)
    lengths = "" if kept is None else kept.lengths
    inputs = [value.name, *kernels, _bias(call, directions, op), lengths, *states]
    while not inputs[-1]:
        inputs.pop()
    names = writer.ops(op, inputs, 1 + STATES[op], **_attributes(call, directions, op))
    if kept is None:
        return Run(names[0], names[1:], names[1])
    return _with_all_steps(call, kept, names, states, len(directions))


def _with_all_steps(
    call: Call, kept: Steps, names: Sequence[str], states: Sequence[str], directions: int
) -> Run:
    """A step that does not count gives what the one before gave, or zeros where the layer says so."""
    settings, found = call.settings, kept_states(call.writer, kept, names[1:], states)
    if not settings["return_sequences"]:
        return Run(names[0], found, names[1])
    way = (bool(settings["go_backwards"]),) if directions == 1 else (False, True)
    is_zero = call.is_direction or bool(call.config.get("zero_output_for_mask"))
    return Run(in_their_places(call.writer, kept, names[0], way, is_zero=is_zero), found, names[1])


def _attributes(call: Call, directions: Sequence[Layer], op: str) -> dict[str, Any]:
    settings = call.settings
    way = "reverse" if settings["go_backwards"] else "forward"
    found: dict[str, Any] = {
        "hidden_size": int(settings["units"]),
        "direction": way if len(directions) == 1 else "bidirectional",
        **_activations(call, op, len(directions)),
    }
    if op == "GRU":
        found["linear_before_reset"] = int(bool(settings["reset_after"]))
    return found


def _activations(call: Call, op: str, count: int) -> dict[str, Any]:
    """None where they are the usual ones."""
    own: Activation = call.settings.get("activation", "tanh")
    told = [own] if op == "RNN" else [call.settings.get("recurrent_activation", "sigmoid"), own]
    told = [*told, own] if op == "LSTM" else told
    if told in (["tanh"], ["sigmoid", "tanh"], ["sigmoid", "tanh", "tanh"]):
        return {}
    named = [_activation(call, activation) for activation in told] * count
    alphas = tuple(float(given["alpha"]) for _, given in named if "alpha" in given)
    betas = tuple(float(given["beta"]) for _, given in named if "beta" in given)
    names = tuple(name for name, _ in named)
    return {"activations": names, "activation_alpha": alphas or None, "activation_beta": betas or None}


def _activation(call: Call, activation: Activation) -> tuple[str, dict[str, float]]:
    name, parameters = name_and_parameters(activation)
    if name not in ACTIVATIONS:
        raise call.refused(f"has the activation {name}, which ONNX's node does not know")
    op, usual = ACTIVATIONS[name]
    return op, {**usual, **{CALLED.get(key, key): value for key, value in parameters.items()}}


def _given_states(call: Call, count: int, op: str) -> list[str]:
    """initial_state.0, .1, ...: of each direction those of its kind in turn."""
    given = [call.given(f"initial_state.{n}") for n in range(count * STATES[op])]
    if not any(given):
        return []
    names: list[str] = []
    for kind in range(STATES[op]):
        states = given[kind :: STATES[op]]
        axes = call.writer.integers("direction", [0])
        parts = [call.writer.op("Unsqueeze", as_keras(call.writer, s).name, axes) for s in states if s]
        if len(parts) < count:
            raise call.refused("is given some of its states alone")
        names.append(parts[0] if count == 1 else call.writer.op("Concat", *parts, axis=0))
    return names


def _stacked(call: Call, directions: Sequence[Layer], role: str, op: str) -> str:
    """(directions, gates x units, inputs)"""
    parts = [_gates_of(call, layer, role) for layer in directions]
    rows, columns = parts[0][0].shape
    columns *= len(parts[0])
    pattern = "i g -> 1 g i"
    step = (pattern, {}) if op != "LSTM" else ("gates", _gates(op, 1, pattern))
    return _joined(call, directions, parts, (columns, rows), step)


def _gates(op: str, axis: int, pattern: str) -> dict[str, Any]:
    return {"axis": axis, "order": list(GATES[op]), "pattern": pattern}


def _bias(call: Call, directions: Sequence[Layer], op: str) -> str:
    """(directions, 2 x gates x units): that of the inputs, then that of the state."""
    if not call.settings.get("use_bias", True):
        return ""
    parts = [_gates_of(call, layer, "bias") for layer in directions]
    size = sum(tensor.size for tensor in parts[0])
    is_cudnn = call.settings.get("weights") == CUDNN
    is_double = len(parts[0][0].shape) == 2 or (is_cudnn and op == "GRU")
    if is_double:
        return _joined(call, directions, parts, (size,), ("b g -> 1 (b g)", {}))
    step = ("gate-bias", {"order": list(GATES[op]), "join": "zeros"})
    return _joined(call, directions, parts, (size if is_cudnn else 2 * size,), step)


def _joined(
    call: Call,
    directions: Sequence[Layer],
    parts: Sequence[Sequence[Tensor]],
    shape: tuple[int, ...],
    step: tuple[str, dict[str, Any]],
) -> str:
    """One initializer of all directions."""
    steps = [_of_one(layer, tensors, step) for layer, tensors in zip(directions, parts, strict=True)]
    role = parts[0][0].role if len(parts[0]) == 1 else parts[0][0].role.rpartition("_")[0]
    name = "" if len(parts[0]) == 1 else f"{call.node.owner}/{role}"
    if len(parts) == 1:
        transform, parameters = steps[0]
        return call.writer.weight(parts[0], (1, *shape), transform, parameters, name=name)
    weights = [
        {"parts": len(tensors), "transform": transform, "parameters": given}
        for tensors, (transform, given) in zip(parts, steps, strict=True)
    ]
    joined = {"weights": weights, "then": "concatenate", "with": {"axis": 0}}
    tensors = [tensor for of_direction in parts for tensor in of_direction]
    return call.writer.weight(
        tensors, (len(parts), *shape), "computed", joined, name=f"{call.node.owner}/{role}"
    )


def _of_one(
    layer: Layer, tensors: Sequence[Tensor], step: tuple[str, dict[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """The same step, of weights that are kept as CuDNN wants them, or as Keras 1 did: every gate apart."""
    if len(tensors) > 1:
        weights = [{"parts": len(tensors), "transform": "concatenate", "parameters": {"axis": -1}}]
        return "computed", {"weights": weights, "then": step[0], "with": step[1]}
    if layer.settings.get("weights") != CUDNN:
        return step
    value = "kernel" if tensors[0].role != "bias" else f"{layer.op.lower()}-bias"
    given = {"way": "from", "value": value, "gates": len(GATES[layer.op])}
    return "cudnn", {**given, "inner": step[0], "parameters": step[1]}


def _gates_of(call: Call, layer: Layer, role: str) -> tuple[Tensor, ...]:
    """The tensor, or those of the gates."""
    whole = layer.tensor(role)
    if whole is not None:
        return (whole,)
    gates = (layer.tensor(f"{role}_{gate}") for gate in OLD_GATES.get(layer.op, ""))
    tensors = tuple(tensor for tensor in gates if tensor is not None)
    if len(tensors) != len(GATES.get(layer.op, ())):
        raise call.refused(f"has no {role} in the file")
    return tensors
