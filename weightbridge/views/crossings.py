"""Rows of nodes ordered so that edges cross little: barycentre sweeps down and up."""

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import pairwise

from weightbridge.views.forward import parents_and_children

Level = list[int]
SWEEPS = 12


def uncrossed(levels: list[Level], chains: Sequence[Sequence[int]], count: int) -> list[Level]:
    """The order with the fewest crossings of those that the sweeps come by."""
    links = [link for chain in chains for link in pairwise(chain)]
    parents, children = parents_and_children(count, links)
    best, fewest = levels, _crossings(levels, children)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        is_down = sweep % 2 == 0
        levels = _swept(levels, parents) if is_down else _swept(levels[::-1], children)[::-1]
        crossings = _crossings(levels, children)
        if crossings < fewest:
            best, fewest = levels, crossings
    return best


def _swept(levels: Sequence[Level], neighbours: Sequence[Level]) -> list[Level]:
    """Every row ordered by the mean place of its neighbours in the rows before it."""
    place: dict[int, float] = {}
    swept = []
    for level in levels:
        ordered = _by_mean(level, neighbours, place)
        place.update((node, i / len(level)) for i, node in enumerate(ordered))
        swept.append(ordered)
    return swept


def _by_mean(level: Level, neighbours: Sequence[Level], place: dict[int, float]) -> Level:
    """A node without neighbours that have a place keeps its own."""
    means = {}
    for i, node in enumerate(level):
        around = [place[n] for n in neighbours[node] if n in place]
        means[node] = sum(around) / len(around) if around else i / len(level)
    return sorted(level, key=means.__getitem__)


def _crossings(levels: Sequence[Level], children: Sequence[Level]) -> int:
    """Pairs of edges between neighbouring rows that cross."""
    return sum(_crossings_between(above, below, children) for above, below in pairwise(levels))


def _crossings_between(above: Level, below: Level, children: Sequence[Level]) -> int:
    place = {node: i for i, node in enumerate(below)}
    ends: list[int] = []
    total = 0
    for node in above:
        reached = sorted(place[child] for child in children[node] if child in place)
        for end in reached:
            total += len(ends) - bisect_right(ends, end)
        for end in reached:
            insort(ends, end)
    return total
