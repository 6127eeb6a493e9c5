"""Layered drawing (Sugiyama, Tagawa, Toda 1981), first part: rows of boxes, ordered so that edges go down and
cross little.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
SWEEPS = 12
BENDS = 6000  # helper nodes; longer edges of larger pictures are drawn straight
LOOSE = 4  # boxes without edges in one row


@dataclass(frozen=True, slots=True)
class Rows:
    """Nodes row by row, left to right: the boxes, then helper nodes where an edge passes through a row.

    chains: the nodes that each edge runs through, its ends included.
    """

    rows: tuple[tuple[int, ...], ...]
    chains: tuple[tuple[int, ...], ...]


def rows(count: int, edges: Sequence[Edge]) -> Rows:
    """count: boxes 0 to count - 1; edges go from a box to another, in no cycle."""
    rank = _longest_path(count, edges)
    chains, ranks = _bent(edges, rank)
    levels: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for node in _depth_first(len(ranks), chains):
        levels[ranks[node]].append(node)
    return Rows(tuple(map(tuple, _uncrossed(levels, chains, len(ranks)))), chains)


def _longest_path(count: int, edges: Sequence[Edge]) -> list[int]:
    """Each box one row below its lowest parent; boxes without parents just above their first child; those
    without edges last.
    """
    parents, children = _sides(count, edges)
    rank, order = [0] * count, _forward(count, parents, children)
    for node in order:
        rank[node] = max((rank[p] + 1 for p in parents[node]), default=0)
    for node in order:
        if children[node] and not parents[node]:
            rank[node] = min(rank[c] for c in children[node]) - 1
    linked = [rank[i] for i in range(count) if parents[i] or children[i]]
    loose = [i for i in range(count) if not parents[i] and not children[i]]
    for i, node in enumerate(loose):
        rank[node] = max(linked, default=-1) + 1 + i // LOOSE
    return rank


def _sides(count: int, edges: Sequence[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    parents: list[list[int]] = [[] for _ in range(count)]
    children: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        parents[b].append(a)
        children[a].append(b)
    return parents, children


def _forward(count: int, parents: Sequence[Sequence[int]], children: Sequence[Sequence[int]]) -> list[int]:
    waiting = [len(p) for p in parents]
    order = [i for i in range(count) if not waiting[i]]
    for node in order:  # grows while it is read
        for child in children[node]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    assert len(order) == count, "edges of a picture go in no cycle"
    return order


def _bent(edges: Sequence[Edge], rank: Sequence[int]) -> tuple[tuple[tuple[int, ...], ...], list[int]]:
    """The chain of nodes of each edge, shortest edges first while helper nodes last, and the ranks of all
    nodes.
    """
    ranks, room = list(rank), BENDS
    chains: dict[Edge, tuple[int, ...]] = {}
    for a, b in sorted(edges, key=lambda edge: rank[edge[1]] - rank[edge[0]]):
        between = range(rank[a] + 1, rank[b])
        room -= len(between)
        helpers = range(len(ranks), len(ranks) + len(between)) if room >= 0 else range(0)
        ranks.extend(between if room >= 0 else ())
        chains[a, b] = (a, *helpers, b)
    return tuple(chains[edge] for edge in edges), ranks


def _depth_first(count: int, chains: Sequence[Sequence[int]]) -> list[int]:
    """Nodes branch by branch: a good first order of the rows."""
    _, children = _sides(count, [pair for chain in chains for pair in pairwise(chain)])
    inner = {node for below in children for node in below}
    seen: dict[int, None] = {}
    waiting = [node for node in reversed(range(count)) if node not in inner]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen[node] = None
            waiting.extend(reversed(children[node]))
    return list(seen)


def _uncrossed(levels: list[list[int]], chains: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """Barycentre sweeps down and up; the order with the fewest crossings wins."""
    links = [(a, b) for chain in chains for a, b in pairwise(chain)]
    parents, children = _sides(count, links)
    best, fewest = levels, _crossings(levels, children)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        levels = _swept(levels, parents) if sweep % 2 == 0 else _swept(levels[::-1], children)[::-1]
        crossings = _crossings(levels, children)
        if crossings < fewest:
            best, fewest = levels, crossings
    return best


def _swept(levels: Sequence[Sequence[int]], before: Sequence[Sequence[int]]) -> list[list[int]]:
    """Every row ordered by the mean place of its neighbours in the rows before it."""
    place: dict[int, float] = {}
    done = []
    for level in levels:
        means = {
            node: _mean([place[n] for n in before[node] if n in place], i / max(len(level), 1))
            for i, node in enumerate(level)
        }
        ordered = sorted(level, key=means.__getitem__)
        place.update((node, i / len(level)) for i, node in enumerate(ordered))
        done.append(ordered)
    return done


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(levels: Sequence[Sequence[int]], children: Sequence[Sequence[int]]) -> int:
    """Pairs of edges between neighbouring rows that cross."""
    return sum(_crossings_between(above, below, children) for above, below in pairwise(levels))


def _crossings_between(above: Sequence[int], below: Sequence[int], children: Sequence[Sequence[int]]) -> int:
    place = {node: i for i, node in enumerate(below)}
    ends: list[int] = []
    total = 0
    for node in above:
        reached = sorted(place[child] for child in children[node] if child in place)
        total += sum(len(ends) - bisect_right(ends, end) for end in reached)
        for end in reached:
            insort(ends, end)
    return total
