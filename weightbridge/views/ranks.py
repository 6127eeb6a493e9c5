"""Layered drawing (Sugiyama, Tagawa, Toda 1981), first part.

Rows of boxes, between which edges go down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from weightbridge.views.crossings import uncrossed
from weightbridge.views.forward import Edge, forward, parents_and_children

Chain = tuple[int, ...]
BENDS = 6000  # helper nodes; longer edges of larger pictures are drawn straight
LOOSE = 4  # boxes without edges in one row


@dataclass(frozen=True, slots=True)
class Rows:
    """Nodes row by row, left to right: the boxes, then helper nodes where an edge passes through a row.

    chains: the nodes that each edge runs through, its ends included.
    """

    rows: tuple[tuple[int, ...], ...]
    chains: tuple[Chain, ...]


def rows(count: int, edges: Sequence[Edge]) -> Rows:
    """count: boxes 0 to count - 1; edges go from a box to another, in no cycle."""
    ranks = _ranks(count, edges)
    chains, ranks = _with_helpers(edges, ranks)
    levels: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node in _depth_first(len(ranks), chains):
        levels[ranks[node]].append(node)
    ordered = uncrossed(levels, chains, len(ranks))
    return Rows(tuple(tuple(level) for level in ordered), chains)


def _ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """Each box one row below its lowest parent; those without edges below all others."""
    parents, children = parents_and_children(count, edges)
    ranks = _longest_paths(count, edges, parents, children)
    is_loose = [not (parents[node] or children[node]) for node in range(count)]
    lowest = max((ranks[node] for node in range(count) if not is_loose[node]), default=-1)
    loose = [node for node in range(count) if is_loose[node]]
    for i, node in enumerate(loose):
        ranks[node] = lowest + 1 + i // LOOSE
    return ranks


def _longest_paths(
    count: int, edges: Sequence[Edge], parents: Sequence[Sequence[int]], children: Sequence[Sequence[int]]
) -> list[int]:
    """Boxes without parents stand just above their first child."""
    order = forward(count, edges)
    assert len(order) == count, "edges of a picture go in no cycle"
    ranks = [0] * count
    for node in order:
        ranks[node] = max((ranks[parent] + 1 for parent in parents[node]), default=0)
    for node in order:
        if children[node] and not parents[node]:
            ranks[node] = min(ranks[child] for child in children[node]) - 1
    return ranks


def _with_helpers(
    edges: Sequence[Edge], ranks_of_boxes: Sequence[int]
) -> tuple[tuple[Chain, ...], list[int]]:
    """The chain of nodes of each edge, shortest edges first while helper nodes last, and all nodes' ranks."""
    ranks, room = list(ranks_of_boxes), BENDS
    chains: dict[Edge, Chain] = {}
    for a, b in sorted(edges, key=lambda edge: ranks_of_boxes[edge[1]] - ranks_of_boxes[edge[0]]):
        between = range(ranks[a] + 1, ranks[b])
        room -= len(between)
        if room < 0:
            between = range(0)
        first = len(ranks)
        ranks.extend(between)
        chains[a, b] = (a, *range(first, len(ranks)), b)
    return tuple(chains[edge] for edge in edges), ranks


def _depth_first(count: int, chains: Sequence[Chain]) -> list[int]:
    """Nodes branch by branch: a good first order of the rows."""
    links = [link for chain in chains for link in pairwise(chain)]
    parents, children = parents_and_children(count, links)
    reached: dict[int, None] = {}
    waiting = [node for node in reversed(range(count)) if not parents[node]]
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached[node] = None
            waiting.extend(reversed(children[node]))
    return list(reached)
