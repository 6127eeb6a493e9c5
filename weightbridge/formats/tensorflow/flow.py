"""Flow: who makes and who reads each value of a list of nodes."""

from collections.abc import Sequence

from weightbridge.formats.onnx.proto import Node


class Flow:
    """outputs: the values that the whole graph gives."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[str]) -> None:
        self.outputs = frozenset(outputs)
        self.maker = {value: node for node in nodes for value in node.outputs}
        self.readers: dict[str, list[Node]] = {}
        for node in nodes:
            for value in node.inputs:
                self.readers.setdefault(value, []).append(node)

    def before(self, node: Node) -> Node | None:
        """What makes a node's data for it alone."""
        value = node.inputs[0]
        return self.maker.get(value) if len(self.readers.get(value, ())) == 1 else None

    def after(self, node: Node) -> Node | None:
        """The one node that reads what this one makes; None where the graph gives it too."""
        value = node.outputs[0]
        readers = self.readers.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self.outputs else None
