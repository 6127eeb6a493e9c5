"""Outputs that nothing reads are left out where ONNX lets a node do without them."""

from collections.abc import Sequence, Set
from dataclasses import replace

from weightbridge.formats.onnx.proto import Node

OPTIONAL = frozenset({"LSTM", "GRU", "RNN"})


def read_alone(nodes: Sequence[Node], outputs: Set[str]) -> tuple[Node, ...]:
    """outputs: those of the graph."""
    read = outputs | {name for node in nodes for name in node.inputs}
    return tuple(_pruned(node, read) if node.op in OPTIONAL else node for node in nodes)


def _pruned(node: Node, read: Set[str]) -> Node:
    names = [name if name in read else "" for name in node.outputs]
    while names and not names[-1]:
        names.pop()
    return replace(node, outputs=tuple(names)) if names else node
