"""Both directions of a recurrent layer, cut apart and joined on the last axis: the two axes as one.

tf2onnx writes Bidirectional so. What is left changes axes alone, and no layer is written for it.
"""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.vocabulary import RECURRENT

RANK = 3  # of what is joined: steps, batch, units


def side_by_side(graph: LayerGraph) -> LayerGraph:
    for layer in graph.layers:
        sides = _sides(graph, layer)
        if sides:
            graph = _with_view(graph, layer, sides)
    return graph


def _sides(graph: LayerGraph, joined: Layer) -> tuple[Layer, ...]:
    """The layers that cut the directions apart; () where they are not joined in order."""
    if joined.op != "Concat" or joined.settings.get("axis") not in (-1, RANK - 1):
        return ()
    squeezed = _alone(graph, graph.parents[joined.name], "Squeeze")
    cuts = _alone(graph, [graph.parents[layer.name][0] for layer in squeezed], "Slice")
    told = [tuple(cut.settings.get(key) for key in ("starts", "ends")) for cut in cuts]
    if told != [((0,), (1,)), ((1,), (2,))]:
        return ()
    return (*squeezed, *cuts) if _is_of_double(graph, cuts) else ()


def _alone(graph: LayerGraph, names: Sequence[str], class_name: str) -> list[Layer]:
    """Layers of a class on the axis of directions, each with one reader; [] where one is none."""
    layers = [graph.by_name[name] for name in names]
    known = [
        layer
        for layer in layers
        if layer.class_name == class_name
        and layer.settings.get("axes") == (1,)
        and len(graph.children[layer.name]) == 1
    ]
    return known if len(known) == len(layers) == 2 else []


def _is_of_double(graph: LayerGraph, cuts: Sequence[Layer]) -> bool:
    """Whether all are cut from the sequence of one layer in both directions."""
    edges = [graph.edges_into[cut.name][0] for cut in cuts]
    is_one = len({(edge.source, edge.port) for edge in edges}) == 1
    return is_one and _is_double(graph.by_name[edges[0].source], edges[0].port)


def _is_double(layer: Layer, port: int) -> bool:
    return not port and layer.op in RECURRENT and layer.settings.get("direction") == "bidirectional"


def _with_view(graph: LayerGraph, joined: Layer, sides: tuple[Layer, ...]) -> LayerGraph:
    """(steps, directions, batch, units) -> (steps, batch, directions x units)"""
    gone = {layer.name for layer in sides}
    source = next(e for e in graph.edges if e.target in gone and e.source not in gone)
    turned = f"{joined.name}/turned"
    permute = Layer(turned, "Permute", class_name="Transpose", attributes={"order": (2, 1, 3)})
    view = replace(joined, op="Reshape", class_name="Reshape", attributes={}, details={"target": (0, 0, -1)})
    layers: list[Layer] = []
    for layer in graph.layers:
        layers += [permute, view] if layer.name == joined.name else [layer]
    kept = [edge for edge in graph.edges if not {edge.source, edge.target} & gone]
    edges = (*kept, replace(source, target=turned, position=0), Edge(turned, joined.name))
    return replace(graph, layers=tuple(one for one in layers if one.name not in gone), edges=edges)
