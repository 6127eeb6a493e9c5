"""What Keras does with the sequences of a recurrent layer: both directions merged, or one turned round."""

from collections.abc import Iterator
from dataclasses import replace

from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, Match, before, edited, matched
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.vocabulary import RECURRENT

MODES = {"Add": "sum", "Multiply": "mul"}
OPEN = -(1 << 30)
Merged = tuple[str, Layer, Edge, int]  # the mode, what merges, the layer's output, its axis of directions


def merged(graph: LayerGraph) -> LayerGraph:
    """A sum, product or mean of both directions is a setting of Bidirectional."""
    for layer in graph.layers:
        if layer.op in RECURRENT and layer.settings.get("direction") == "bidirectional":
            graph = _with_mode(graph, layer)
    return graph


def _with_mode(graph: LayerGraph, layer: Layer) -> LayerGraph:
    found = [one for other in graph.layers if (one := _merging(graph, layer, other)) is not None]
    readers = {edge.target for edge in graph.edges if edge.source == layer.name}
    if len(found) != 1 or len(readers) != 2 or any(port.layer == layer.name for port in graph.output_ports):
        return graph
    ((mode, last, edge, axis),) = found
    alone = Layer(last.name, "Reshape", "Squeeze", {"axes": (axis,)}, output_shape=last.output_shape)
    told = replace(layer, details={**layer.details, "merge_mode": mode})
    own = tuple((fed, fed.keyword) for fed in graph.edges_into[layer.name])
    return edited(graph, [Edit(told, own), Edit(alone, ((edge, ""),))])


def _merging(graph: LayerGraph, layer: Layer, other: Layer) -> Merged | None:
    """The last layer that merges both directions of this one."""
    mode, found = _mode(graph, other)
    if found is None or {found.values[key].source for key in "xy"} != {layer.name}:
        return None
    cuts, edge = [found.layers[key].settings for key in ("a_cut", "b_cut")], found.values["x"]
    told = [(cut.get("start"), cut.get("stop")) for cut in cuts]
    axes = {cut.get("axis") for cut in cuts} | {_axis(found.layers[key]) for key in ("a", "b")}
    axis = axes.pop()
    is_one = not axes and edge.port == found.values["y"].port
    if sorted(told) != [(0, 1), (1, 2)] or not is_one or not isinstance(axis, int):
        return None
    return mode, other, edge, axis


def _mode(graph: LayerGraph, other: Layer) -> tuple[str, Match | None]:
    """How a layer merges two directions: a mean is a sum that is halved."""
    both = (_side("a"), _side("b"))
    if other.op == "Rescaling" and (other.settings["scale"], other.settings["offset"]) == (0.5, 0):
        return "ave", matched(graph, other, Is("Rescaling", (Is("Add", both),)))
    is_halved = any(_halves(graph, name) for name in graph.children[other.name])
    if other.op not in MODES or is_halved:
        return "", None
    return MODES[other.op], matched(graph, other, Is(other.op, both))


def _side(name: str) -> Is:
    value = {"a": "x", "b": "y"}[name]
    return Is("Squeeze", (Is("Split", (value,), f"{name}_cut"),), name)


def _halves(graph: LayerGraph, name: str) -> bool:
    layer = graph.by_name[name]
    return layer.op == "Rescaling" and layer.settings["scale"] == 0.5


def _axis(layer: Layer) -> int | None:
    axes = layer.settings.get("axes")
    return axes[0] if isinstance(axes, tuple) and len(axes) == 1 else None


def turned(graph: LayerGraph) -> LayerGraph:
    """A sequence that goes backwards, turned round: what Keras's layer gives by itself."""
    return edited(graph, _turned(graph))


def _turned(graph: LayerGraph) -> Iterator[Edit]:
    for layer in graph.layers:
        view = before(graph, layer) if _turns(layer) else None
        if view is None or view.class_name != "Squeeze":
            continue
        own = graph.edges_into[view.name]
        recurrent = graph.by_name[own[0].source]
        if _goes_back(graph, recurrent):
            told = replace(recurrent, details={**recurrent.details, "is_turned": True})
            yield Edit(told, tuple((fed, fed.keyword) for fed in graph.edges_into[recurrent.name]))
            yield Edit(replace(view, name=layer.name), tuple((fed, fed.keyword) for fed in own))


def _goes_back(graph: LayerGraph, layer: Layer) -> bool:
    """Whether its sequence goes backwards, and one layer alone reads that."""
    is_read_once = sum(edge.source == layer.name and not edge.port for edge in graph.edges) == 1
    is_output = any(port.layer == layer.name and not port.index for port in graph.output_ports)
    is_back = layer.op in RECURRENT and bool(layer.settings.get("go_backwards"))
    return is_back and is_read_once and not is_output


def _turns(layer: Layer) -> bool:
    told = [layer.settings.get(key) for key in ("starts", "axes", "steps")]
    ends = layer.settings.get("ends")
    is_whole = isinstance(ends, tuple) and len(ends) == 1 and ends[0] <= OPEN
    return layer.op == "Slice" and told == [(-1,), (0,), (-1,)] and is_whole
