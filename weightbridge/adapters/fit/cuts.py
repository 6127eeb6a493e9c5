"""Cuts of a flow: the nodes that every path goes through, where features of two models are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from weightbridge.formats.flow import Node, readers

LINEAR = frozenset({"conv", "depthwise", "separable", "dense"})
MIXING = frozenset({"conv", "separable", "dense"})
THROUGH = frozenset({"elementwise", "pass", "scale"})


@dataclass(frozen=True, slots=True)
class Cut:
    """A node that all paths pass.

    before: what its activation reads, the node itself where it has none. parts: the same, side by side where
    activated branches are joined.
    """

    node: int
    before: int
    parts: tuple[int, ...]
    shape: tuple[int, ...]
    name: str

    @property
    def is_activated(self) -> bool:
        return self.parts != (self.node,)

    @property
    def grid(self) -> tuple[int, ...]:
        return self.shape[:-1]

    @property
    def places(self) -> int:
        return prod(self.grid)


def cuts(nodes: Sequence[Node]) -> tuple[Cut, ...]:
    """In their order; the last one is the output. Between two of them stands a layer that mixes channels."""
    found: list[int] = []
    best, is_closed = -1, True
    for start, end in pairwise(passed_by_all(nodes)):
        inside = range(start + 1, end + 1)
        if _is_mixing(nodes, inside):
            found.append(best)
            best, is_closed = end, False
            continue
        is_closed = is_closed or not _goes_on(nodes, best, inside)
        best = best if is_closed else end
    return tuple(_cut(nodes, node) for node in (*found, best) if node >= 0)


def passed_by_all(nodes: Sequence[Node]) -> list[int]:
    """Nodes over which no edge passes, from the input on."""
    over = [0] * (len(nodes) + 1)
    for i, reading in enumerate(readers(nodes)):
        if reading and reading[-1] - i > 1:
            over[i + 1] += 1
            over[reading[-1]] -= 1
    found, open_edges = [], 0
    for i in range(len(nodes)):
        open_edges += over[i]
        found += [] if open_edges else [i]
    return found


def own_norm(nodes: Sequence[Node], i: int) -> bool:
    """Whether a BatchNorm stands right behind a layer with a kernel."""
    return nodes[i].kind == "batchnorm" and nodes[nodes[i].inputs[0]].kind in LINEAR


def mixes(node: Node) -> bool:
    """Whether each of its outputs can read all channels."""
    return node.kind in MIXING and int(node.settings.get("groups") or 1) * 4 <= max(node.shape[-1], 4)


def _is_mixing(nodes: Sequence[Node], inside: range) -> bool:
    """Not of a gate, which scales what goes past it."""
    end = nodes[inside[-1]]
    is_gate = end.kind == "other" and len(end.inputs) > 1
    return not is_gate and any(mixes(nodes[i]) for i in inside)


def _goes_on(nodes: Sequence[Node], best: int, inside: range) -> bool:
    """Whether the feature is the same, normalised or activated."""
    return all(
        (nodes[i].kind in THROUGH and nodes[i].shape == nodes[best].shape) or own_norm(nodes, i)
        for i in inside
    )


def _cut(nodes: Sequence[Node], node: int) -> Cut:
    before = before_activation(nodes, node)
    joined = nodes[before].inputs if nodes[before].kind == "concat" else (before,)
    parts = tuple(before_activation(nodes, i) for i in joined)
    parts = (before,) if parts == joined else parts
    return Cut(node, before, parts, nodes[node].shape, nodes[node].name)


def before_activation(nodes: Sequence[Node], node: int) -> int:
    """What the activation that gives this node reads, over the merges of activations like x * sigmoid(x)."""
    if nodes[node].kind == "pass":
        return before_activation(nodes, nodes[node].inputs[0])
    if nodes[node].kind != "elementwise":
        return node
    reach = {node}
    while True:
        first = max(reach)
        if nodes[first].kind not in ("elementwise", "pass"):
            return first if len(reach) == 1 else node
        reach = (reach - {first}) | set(nodes[first].inputs)
