"""A value divided by its length along an axis: UnitNormalization."""

from collections.abc import Iterator

from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, edited, matched
from weightbridge.model.graph import Layer, LayerGraph

SQUARES = Is("ReduceSum", (Is("Mul", ("x", "x")),), "sum")
SMALLEST = 1e-12
UNIT = Is("Div", ("x", Is("Sqrt", (Is("Max", (SQUARES,), "least"),))))


def unit(graph: LayerGraph) -> LayerGraph:
    return edited(graph, _units(graph))


def _units(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        found = matched(graph, layer, UNIT) if layer.class_name == "Div" else None
        if found is None or not _is_least(found.layers["least"]):
            continue
        told = found.layers["sum"].settings
        axes = told.get("axes")
        if isinstance(axes, tuple) and len(axes) == 1 and told.get("keepdims", True):
            norm = {"axis": axes[0], "p": 2}
            made = Layer(layer.name, "Opaque", "LpNormalization", norm, output_shape=layer.output_shape)
            yield Edit(made, ((found.values["x"], ""),))


def _is_least(layer: Layer) -> bool:
    told = layer.settings.get("arguments")
    return isinstance(told, tuple) and any(one == SMALLEST for one in told)
