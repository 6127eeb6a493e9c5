"""The saturating steps that outputs end in, which hide differences."""

from collections.abc import Mapping
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.running import Saturation
from weightbridge.model.tensors import Array

SATURATIONS: Mapping[str, Saturation] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
SAME_PLACES = frozenset({"Identity", "Cast"})
SAME_ORDER = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True, slots=True)
class LastStep:
    """value: what goes into the step. turns: the orders of axes that Transposes behind it make."""

    value: str
    saturation: Saturation
    turns: tuple[tuple[int, ...] | None, ...] = ()

    def moved(self, logits: Array, output: Array) -> Array:
        """At the places that the output has: a Transpose that is wrong shows in it as in the output."""
        for turn in self.turns:
            logits = logits.transpose(turn)
        return logits.reshape(output.shape)


def last_steps(graph: Graph) -> dict[str, LastStep]:
    """The softmax or sigmoid that an output ends in, but for what only moves numbers."""
    makers = {value: node for node in graph.nodes for value in node.outputs}
    found = {output.name: _last_step(output.name, makers) for output in graph.outputs}
    return {name: step for name, step in found.items() if step is not None}


def _last_step(value: str, makers: Mapping[str, Node]) -> LastStep | None:
    """None too where a Transpose is behind a Reshape: the shape that it turns is not known here."""
    turns: list[tuple[int, ...] | None] = []
    node = makers.get(value)
    while node is not None and node.inputs and not node.domain and node.op not in SATURATIONS:
        if node.op == "Transpose":
            turns.insert(0, node.attributes.get("perm"))
        elif node.op not in SAME_PLACES and (turns or node.op not in SAME_ORDER):
            return None
        node = makers.get(node.inputs[0])
    if node is None or node.domain or not node.inputs:
        return None
    return LastStep(node.inputs[0], SATURATIONS[node.op], tuple(turns))
