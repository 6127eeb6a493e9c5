"""The layers of a graph that its outputs depend on."""

from weightbridge.model.graph import LayerGraph


def used_layers(graph: LayerGraph) -> frozenset[str]:
    """The layers that an output depends on; exporters leave others, of which they asked the shape alone."""
    waiting = [port.layer for port in graph.output_ports]
    used: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += graph.parents[name]
    return frozenset(used)
