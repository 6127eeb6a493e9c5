"""The saturating steps that outputs end in, which hide differences."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.running import Saturation

SATURATIONS: Mapping[str, Saturation] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
# what changes no place of a number: a mistake in a Reshape behind would not be seen in the logits
VIEWS = frozenset({"Identity", "Cast", "Squeeze", "Unsqueeze"})


def last_steps(graph: Graph) -> dict[str, tuple[str, Saturation]]:
    """What goes into the softmax or sigmoid that an output ends in, and which of them it is."""
    makers = {value: node for node in graph.nodes for value in node.outputs}
    last_steps: dict[str, tuple[str, Saturation]] = {}
    for output in graph.outputs:
        node = _before_views(output.name, makers)
        if node is not None and node.op in SATURATIONS and not node.domain:
            last_steps[output.name] = (node.inputs[0], SATURATIONS[node.op])
    return last_steps


def _before_views(value: str, makers: Mapping[str, Node]) -> Node | None:
    """The node that computes a value, behind what only renames it."""
    node = makers.get(value)
    while node is not None and node.op in VIEWS and node.inputs:
        node = makers.get(node.inputs[0])
    return node
