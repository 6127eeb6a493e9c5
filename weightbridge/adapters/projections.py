"""The projections of a multi-head attention, which Keras keeps as layers of their own inside it."""

from collections.abc import Mapping

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor

QUERY, KEY, VALUE, OUTPUT = "query", "key", "value", "attention_output"
READING = (QUERY, KEY, VALUE)
HEADS, EACH = "q", "k"  # the letters of the axes of heads, and of the numbers of each head
_LETTERS: Mapping[tuple[bool, int], tuple[str, ...]] = {
    (False, 3): ("i", HEADS, EACH),
    (False, 2): (HEADS, EACH),
    (True, 3): (HEADS, EACH, "o"),
    (True, 1): ("o",),
}


def projection_of(layer: Layer) -> str:
    """`query`, `key`, `value`, `attention_output`, or "" for any other layer."""
    name = layer.name.rpartition("/")[2]
    is_inside = "/" in layer.name and layer.op == "EinsumDense" and "equation" not in layer.attributes
    return name if is_inside and name in (*READING, OUTPUT) else ""


def projections(graph: LayerGraph, attention: str) -> Mapping[str, Layer]:
    """The four of an attention by their function; empty where it has others."""
    held = {name: graph.by_name.get(f"{attention}/{name}") for name in (*READING, OUTPUT)}
    layers = {name: layer for name, layer in held.items() if layer is not None and projection_of(layer)}
    return layers if len(layers) == len(held) else {}


def projection_letters(layer: Layer, tensor: Tensor) -> tuple[str, ...]:
    """One letter per axis of a kernel or bias; () for other layers and ranks."""
    function = projection_of(layer)
    return _LETTERS.get((function == OUTPUT, len(tensor.shape)), ()) if function else ()
