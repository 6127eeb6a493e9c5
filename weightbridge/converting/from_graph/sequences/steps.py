"""Whether all that reads a sequence takes its last step alone, as `output[:, -1]` does."""

from weightbridge.converting.from_graph.views import turn_of
from weightbridge.model.graph import Layer, LayerGraph

LAST = -1
OPEN_ENDS = 1 << 31


def reads_last_alone(graph: LayerGraph, name: str, port: int, time: int, *, go_backwards: bool) -> bool:
    """port: the output with the sequence. time: which of its axes the steps are."""
    if go_backwards or any(end.layer == name and end.index == port for end in graph.output_ports):
        return False
    readers = [edge.target for edge in graph.edges if edge.source == name and edge.port == port]
    return bool(readers) and all(_takes_last(graph, graph.by_name[reader], time) for reader in readers)


def _takes_last(graph: LayerGraph, layer: Layer, time: int) -> bool:
    if layer.op == "Slice":
        return _is_last(layer, time)
    place = _moved(layer, time)
    if place is None or any(end.layer == layer.name for end in graph.output_ports):
        return False
    readers = graph.children[layer.name]
    return bool(readers) and all(_takes_last(graph, graph.by_name[reader], place) for reader in readers)


def _is_last(layer: Layer, time: int) -> bool:
    settings = layer.settings
    if layer.class_name == "Gather":
        return settings.get("axis") == time and settings.get("indices") == LAST
    starts, ends, axes = (settings.get(key) for key in ("starts", "ends", "axes"))
    is_open = isinstance(ends, tuple) and len(ends) == 1 and ends[0] >= OPEN_ENDS - 1
    return starts == (LAST,) and axes == (time,) and is_open


def _moved(layer: Layer, time: int) -> int | None:
    """Where the axis is behind a view; None where it is gone, or what the layer does is not known."""
    settings = layer.settings
    if layer.op == "Permute":
        order = turn_of(settings)
        return order.index(time) if time in order else None
    axes = settings.get("axes")
    if layer.class_name == "Squeeze" and isinstance(axes, tuple) and time not in axes:
        gone = [int(axis) for axis in axes if 0 <= axis < time]
        return time - len(gone)
    return None
