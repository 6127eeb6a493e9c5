"""Convolutions whose graph does not say how many channels they get: groups by what comes from above.

A frozen graph states no shapes, and TensorFlow's Conv2D has no attribute for groups.
"""

from dataclasses import replace

from weightbridge.formats.onnx.proto import CHANNELS_LAST, Graph, Node
from weightbridge.formats.onnx.shapes.infer import shapes_of
from weightbridge.formats.onnx.values.net import Read, net_of
from weightbridge.formats.onnx.wellformed import with_marks
from weightbridge.formats.tensorflow.graphs.nodes.weighted import groups_of


def with_groups(graph: Graph, read: Read) -> Graph:
    """read: the values of a small constant."""
    if not any(map(_is_open, graph.nodes)):
        return graph
    marked = with_marks(graph)
    shapes, _ = shapes_of(marked, net_of(marked, read), read)

    def grouped(node: Node) -> Node:
        data, kernel = (shapes.get(value) for value in node.inputs[:2]) if _is_open(node) else (None, None)
        if data is None or kernel is None:
            return node
        channels = data[-1 if node.attributes.get(CHANNELS_LAST) else 1]
        return replace(node, attributes={"group": groups_of(channels, kernel[1]), **node.attributes})

    return replace(graph, nodes=tuple(map(grouped, graph.nodes)))


def _is_open(node: Node) -> bool:
    return node.op == "Conv" and "group" not in node.attributes and len(node.inputs) > 1
