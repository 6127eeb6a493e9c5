"""Weights that training does not change in the source: buffers, and parameters without gradients."""

from collections.abc import Collection
from dataclasses import replace

from weightbridge.model.graph import Layer, LayerGraph


def with_frozen(graph: LayerGraph, names: Collection[str]) -> LayerGraph:
    """The graph whose tensors of these names are not trained."""
    if not names:
        return graph
    return replace(graph, layers=tuple(_with_frozen(layer, names) for layer in graph.layers))


def _with_frozen(layer: Layer, names: Collection[str]) -> Layer:
    tensors = (replace(t, trainable=t.trainable and t.name not in names) for t in layer.tensors)
    return replace(layer, tensors=tuple(tensors))
