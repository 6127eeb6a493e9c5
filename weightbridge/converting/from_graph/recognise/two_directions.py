"""Two recurrent layers over one sequence, each between turned axes, whose outputs are put side by side.

As TensorFlow writes Bidirectional: sequence -> Transpose -> layer -> Transpose -> Concat, once each way.
"""

from dataclasses import replace

from weightbridge.converting.from_graph.recognise.pattern import Edit, edited
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.vocabulary import RECURRENT

TIME_FIRST = (1, 0, 2)
Ends = tuple[Edge, Edge]  # what is put side by side, forwards and backwards


def two_directions(graph: LayerGraph) -> LayerGraph:
    """Both read the sequence at one place then, and are joined before it is turned back."""
    for layer in graph.layers:
        ends = _ends(graph, layer) if layer.op == "Concat" and layer.class_name not in RECURRENT else None
        if ends is not None:
            graph = _joined(graph, layer, ends)
    return graph


def _ends(graph: LayerGraph, layer: Layer) -> Ends | None:
    edges = graph.edges_into[layer.name]
    rank = 1 + len(layer.output_shape or ())
    if len(edges) != 2 or layer.settings.get("axis") not in (-1, rank - 1):
        return None
    first, second = (_recurrent(graph, edge) for edge in edges)
    if first is None or second is None or first.port != second.port:
        return None
    back = [bool(graph.by_name[edge.source].settings.get("go_backwards")) for edge in (first, second)]
    fed = [_sequence(graph, edge.source) for edge in (first, second)]
    is_one = fed[0] is not None and fed[0] == fed[1] and first.source != second.source
    return (first, second) if is_one and back == [False, True] else None


def _recurrent(graph: LayerGraph, edge: Edge) -> Edge | None:
    """What a recurrent layer gives that nothing else reads: a sequence turned back, or a state as it is."""
    layer = graph.by_name[edge.source]
    if _turns(layer) and _is_read_once(graph, layer.name):
        edge = graph.edges_into[layer.name][0]
        return edge if not edge.port and _is_alone(graph, edge) else None
    return edge if edge.port == 1 and _is_alone(graph, edge) else None


def _is_alone(graph: LayerGraph, edge: Edge) -> bool:
    layer = graph.by_name[edge.source]
    is_cell = layer.op in RECURRENT and "sequence_ports" not in layer.settings  # of a Loop that keeps its own
    is_plain = is_cell and layer.settings.get("direction") != "bidirectional"
    return is_plain and len(graph.edges_into[layer.name]) == 1 and _is_read_once(graph, layer.name)


def _is_read_once(graph: LayerGraph, name: str) -> bool:
    is_output = any(port.layer == name for port in graph.output_ports)
    return not is_output and sum(edge.source == name for edge in graph.edges) == 1


def _turns(layer: Layer) -> bool:
    return layer.op == "Permute" and layer.settings.get("order") == TIME_FIRST


def _sequence(graph: LayerGraph, name: str) -> tuple[str, int, bool] | None:
    """The value that a recurrent layer reads, and whether its axes are turned before."""
    edge = graph.edges_into[name][0]
    before = graph.by_name[edge.source]
    if not _turns(before):
        return edge.source, edge.port, False
    inner = graph.edges_into[before.name][0]
    return inner.source, inner.port, True


def _joined(graph: LayerGraph, layer: Layer, ends: Ends) -> LayerGraph:
    forward, backward = (graph.by_name[edge.source] for edge in ends)
    side_by_side = replace(layer, class_name=forward.op, attributes={"axis": -1}, details={})
    fed = tuple((edge, "") for edge in ends)
    same = Edit(backward, tuple((edge, edge.keyword) for edge in graph.edges_into[forward.name]))
    if ends[0].port:
        return _reading_state(edited(graph, (same, Edit(side_by_side, fed))), layer.name)
    turned = graph.by_name[graph.edges_into[layer.name][0].source]
    inside = replace(side_by_side, name=turned.name)
    outside = replace(turned, name=layer.name, output_shape=layer.output_shape)
    return edited(graph, (same, Edit(inside, fed), Edit(outside, ((Edge(turned.name, layer.name, 0), ""),))))


def _reading_state(graph: LayerGraph, name: str) -> LayerGraph:
    """What is read of the joined layer is its state."""
    edges = tuple(replace(edge, port=1) if edge.source == name else edge for edge in graph.edges)
    ports = tuple(replace(port, index=1) if port.layer == name else port for port in graph.output_ports)
    return replace(graph, edges=edges, output_ports=ports)
