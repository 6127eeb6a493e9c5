"""`hard_sigmoid` of older Keras by Keras 3's: clip(0.2 x + 0.5) is relu6(1.2 x + 3) / 6.

The weights that give x are multiplied by 1.2.
"""

from collections.abc import Iterator, Mapping

from weightbridge.converting.values import Scaling
from weightbridge.formats.keras.architecture.activations import activation
from weightbridge.model.activations import OLD_HARD_SIGMOID
from weightbridge.model.graph import Layer, LayerGraph

FACTOR = 1.2
WHOLE = Scaling(FACTOR)
PLAIN = ("Dense", "EinsumDense", "Conv", "ConvTranspose", "DepthwiseConv")
OF_ACTIVATION: Mapping[str, Mapping[str, Scaling]] = {  # op -> role -> what x is computed with
    **{op: {"kernel": WHOLE, "bias": WHOLE} for op in PLAIN},
    "SeparableConv": {"pointwise_kernel": WHOLE, "bias": WHOLE},
    "RNN": dict.fromkeys(("kernel", "recurrent_kernel", "bias"), WHOLE),
    "GRU": dict.fromkeys(("kernel", "recurrent_kernel", "bias"), Scaling(FACTOR, 3, (2,))),
}
GATES: Mapping[str, Scaling] = {  # the blocks of update and reset; of input, forget and output
    "GRU": Scaling(FACTOR, 3, (0, 1)),
    "LSTM": Scaling(FACTOR, 4, (0, 1, 3)),
}


def scalings(graph: LayerGraph) -> dict[tuple[str, str], tuple[Scaling, ...]]:
    """By layer and role: what is to be multiplied."""
    found: dict[tuple[str, str], tuple[Scaling, ...]] = {}
    for layer in graph.layers:
        for role, scaling in _of_layer(layer):
            found[layer.name, role] = (*found.get((layer.name, role), ()), scaling)
    return found


def is_older(value: object) -> bool:
    """Whether a setting asks for the function with the slope 0.2."""
    return activation(value) == OLD_HARD_SIGMOID


def _of_layer(layer: Layer) -> Iterator[tuple[str, Scaling]]:
    op = "LSTM" if layer.class_name.startswith("ConvLSTM") else layer.op
    if is_older(layer.attributes.get("activation")):
        yield from OF_ACTIVATION.get(op, {}).items()
    if is_older(layer.attributes.get("recurrent_activation")) and op in GATES:
        yield from ((role, GATES[op]) for role in ("kernel", "recurrent_kernel", "bias"))
