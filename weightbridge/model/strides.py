"""By how much a layer makes the grid coarser, and how coarse it is from the input on."""

from collections.abc import Mapping
from fractions import Fraction

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import FORWARD_CONVOLUTIONS


def cumulative_strides(graph: LayerGraph) -> Mapping[str, Fraction]:
    """By how much each layer's grid is coarser than the input's."""
    found: dict[str, Fraction] = {}
    for layer in graph.layers:
        before = max((found[p] for p in graph.parents[layer.name] if p in found), default=Fraction(1))
        found[layer.name] = before * stride_of(layer)
    return found


def stride_of(layer: Layer) -> Fraction:
    """2 where the layer halves the grid, 1/2 where it doubles it."""
    if layer.op in (*FORWARD_CONVOLUTIONS, "Pool"):
        return Fraction(max(layer.attributes.get("strides") or (1,)))
    if layer.op == "ConvTranspose":
        return Fraction(1, max(layer.attributes.get("strides") or (1,)))
    size = layer.attributes.get("size") if layer.op == "Resize" else None
    whole = isinstance(size, tuple) and all(isinstance(n, int) and 0 < n <= 8 for n in size)
    return Fraction(1, max(size)) if whole and size else Fraction(1)
