"""What nothing reads: nodes, outputs that ONNX lets a node do without, and constants."""

from collections.abc import Collection, Sequence, Set
from dataclasses import replace

from weightbridge.formats.onnx.emit.values import Initializer
from weightbridge.formats.onnx.proto import Node

OPTIONAL = frozenset({"LSTM", "GRU", "RNN"})


def read_alone(nodes: Sequence[Node], outputs: Set[str], weights: Collection[str]) -> tuple[Node, ...]:
    """outputs: those of the graph. weights: whoever reads one stays, so that each has its place."""
    read, kept = set(outputs), list[Node]()
    for node in reversed(nodes):
        if read.intersection(node.outputs) or any(name in weights for name in node.inputs):
            kept.append(_pruned(node, read) if node.op in OPTIONAL else node)
            read.update(node.inputs)
    return tuple(reversed(kept))


def constants_read(
    initializers: Sequence[Initializer], nodes: Sequence[Node], weights: Collection[str]
) -> tuple[Initializer, ...]:
    read = {name for node in nodes for name in node.inputs}
    return tuple(one for one in initializers if one.name in read or one.name in weights)


def _pruned(node: Node, read: Set[str]) -> Node:
    names = [name if name in read else "" for name in node.outputs]
    while names and not names[-1]:
        names.pop()
    return replace(node, outputs=tuple(names)) if names else node
