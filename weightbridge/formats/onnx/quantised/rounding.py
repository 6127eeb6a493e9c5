"""Whether a quantised model rounds its data too: its outputs are then not those of the floats alone."""

from collections.abc import Iterable
from dataclasses import replace

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.quantised.values import values_of
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import ROUNDED, Tensor

ON_CODES = ("DynamicQuantize", "QLinear", "QGemm", "QAttention")  # how the names of such operators begin
STATIC = "QuantizeLinear"


def with_rounding(layers: Iterable[Layer], graph: Graph) -> tuple[Layer, ...]:
    """The layers, whose quantised tensors say that the data they meet is rounded, where it is."""
    if not _rounds_data(graph):
        return tuple(layers)
    return marked(layers)


def marked(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers, whose quantised tensors say that the data they meet is rounded."""
    return tuple(replace(layer, tensors=tuple(map(_marked, layer.tensors))) for layer in layers)


def _rounds_data(graph: Graph) -> bool:
    known = values_of(graph).tensors
    return any(_rounds(node) for node in graph.nodes if not (node.inputs and node.inputs[0] in known))


def _rounds(node: Node) -> bool:
    return node.op == STATIC or node.op.startswith(ON_CODES)


def _marked(tensor: Tensor) -> Tensor:
    if tensor.computed is None:
        return tensor
    return replace(
        tensor, computed=replace(tensor.computed, parameters={**tensor.computed.parameters, **ROUNDED})
    )
