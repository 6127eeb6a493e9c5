"""The graphs inside a node (branches of an If, the body of a Loop), and the outer values they read."""

from collections.abc import Iterator

from weightbridge.formats.onnx.proto import Graph, Node


def subgraphs(node: Node) -> Iterator[Graph]:
    """The graphs among a node's attributes."""
    for value in node.attributes.values():
        candidates = value if isinstance(value, tuple) else (value,)
        yield from (graph for graph in candidates if isinstance(graph, Graph))


def captured_by(node: Node) -> tuple[str, ...]:
    """The values that a node's subgraphs read from outside, in the order they are read."""
    captured: dict[str, None] = {}
    for graph in subgraphs(node):
        inner = _inner_values(graph)
        read = (value for value in _values_read(graph) if value and value not in inner)
        captured.update(dict.fromkeys(read))
    return tuple(captured)


def _inner_values(graph: Graph) -> set[str]:
    """The values that a graph has of its own."""
    inner = {info.name for info in graph.inputs}
    inner.update(tensor.name for tensor in graph.initializers)
    for node in graph.nodes:
        inner.update(node.outputs)
    return inner


def _values_read(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        yield from node.inputs
        yield from captured_by(node)
    yield from (output.name for output in graph.outputs)
