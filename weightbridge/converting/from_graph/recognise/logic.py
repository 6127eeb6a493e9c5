"""What ONNX has no single node for: NotEqual, and whether any or all along an axis are true."""

from collections.abc import Iterator
from dataclasses import replace

from weightbridge.converting.from_graph.layers.operations import LOGICAL
from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, edited, matched
from weightbridge.model.graph import Edge, Layer, LayerGraph

OPAQUE = "Opaque"
NOT_EQUAL = Is("Not", (Is("Equal", ("x",), "equal"),))
NOT_EQUAL_OF_TWO = Is("Not", (Is("Equal", ("x", "y"), "equal"),))
TRUTHS = LOGICAL | {"NotEqual", "Any", "All"}
EXTREMES = {"ReduceMax": "Any", "ReduceMin": "All"}


def not_equal(graph: LayerGraph) -> LayerGraph:
    return edited(graph, _differences(graph))


def _differences(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        found = None
        if layer.class_name == "Not":
            found = matched(graph, layer, NOT_EQUAL) or matched(graph, layer, NOT_EQUAL_OF_TWO)
        if found is not None:
            equal = found.layers["equal"]
            made = replace(equal, name=layer.name, class_name="NotEqual", output_shape=layer.output_shape)
            yield Edit(made, tuple((edge, edge.keyword) for edge in graph.edges_into[equal.name]))


def any_or_all(graph: LayerGraph) -> LayerGraph:
    return edited(graph, _of_axes(graph))


def _of_axes(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        if layer.op == "Cast" and layer.settings.get("dtype") == "bool":
            for kind, name in EXTREMES.items():
                yield from _extreme(graph, layer, kind, name)


def _extreme(graph: LayerGraph, layer: Layer, kind: str, name: str) -> Iterator[Edit]:
    """The largest of numbers that were truths, as a truth."""
    largest = Is(kind, (Is("Cast", ("x",)),), "extreme")
    found = matched(graph, layer, Is("Cast", (largest,)))
    squeezed = matched(graph, layer, Is("Cast", (Is("Squeeze", (largest,), "squeeze"),)))
    match = found or squeezed
    if match is None or not is_truth(graph, match.values["x"]):
        return
    told = match.layers["extreme"].settings
    squeeze = match.layers.get("squeeze")
    if squeeze is not None and squeeze.settings.get("axes") != told.get("axes"):
        return
    keeps = bool(told.get("keepdims", True)) and squeeze is None
    attributes = {"axes": told.get("axes"), "keepdims": keeps}
    made = Layer(layer.name, OPAQUE, name, attributes, output_shape=layer.output_shape)
    yield Edit(made, ((match.values["x"], ""),))


def is_truth(graph: LayerGraph, edge: Edge) -> bool:
    """Whether a value is true or false, as far as its layer says."""
    layer = graph.by_name[edge.source]
    return layer.class_name in TRUTHS or layer.settings.get("dtype") == "bool"
