"""Constants of integers (positions, indices) that only one side stores: no layer is told apart by them."""

from dataclasses import replace

from weightbridge.model.graph import Layer, LayerGraph


def without_counted(graph: LayerGraph, other: LayerGraph) -> LayerGraph:
    """The graph without the integer constants that `other` does not have under the same name and shape."""
    there = {(tensor.name, tensor.shape) for tensor in other.tensors if tensor.is_counted}
    alone = {t.name for t in graph.tensors if t.is_counted and (t.name, t.shape) not in there}
    if not alone:
        return graph
    return replace(graph, layers=tuple(_without(layer, alone) for layer in graph.layers))


def _without(layer: Layer, names: set[str]) -> Layer:
    return replace(layer, tensors=tuple(t for t in layer.tensors if t.name not in names))
