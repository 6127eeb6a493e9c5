"""A factor and then a sum with one number: one Rescaling, as Keras has both in one layer."""

from collections.abc import Iterator
from dataclasses import replace

from weightbridge.converting.from_graph.recognise.pattern import Edit, before, edited
from weightbridge.model.graph import Layer, LayerGraph


def rescaled(graph: LayerGraph) -> LayerGraph:
    return edited(graph, _joined(graph))


def _joined(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        factor = before(graph, layer) if _adds(layer) else None
        if factor is not None and _multiplies(factor):
            told = {**layer.attributes, "scale": factor.settings["scale"]}
            yield Edit(replace(layer, attributes=told), ((graph.edges_into[factor.name][0], ""),))


def _adds(layer: Layer) -> bool:
    return layer.op == "Rescaling" and layer.settings["scale"] == 1 and layer.settings["offset"] != 0


def _multiplies(layer: Layer) -> bool:
    return layer.op == "Rescaling" and layer.settings["offset"] == 0
