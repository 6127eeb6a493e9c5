"""Cut layers: the layers over which no edge passes, in an order that goes depth first.

Between two of them lies a block: a residual unit, an inception module, a layer of a transformer.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from weightbridge.views.forward import Edge, parents_and_children

Segment = tuple[int, ...]
IsLarge = Callable[[Sequence[int]], bool]


def depth_first(count: int, edges: Sequence[Edge]) -> list[int]:
    """All nodes, each behind its parents and one branch after the other; what is in a cycle comes last."""
    parents, children = parents_and_children(count, edges)
    waiting = [len(above) for above in parents]
    ready = [node for node in reversed(range(count)) if not waiting[node]]
    order: list[int] = []
    while ready:
        node = ready.pop()
        order.append(node)
        for child in reversed(children[node]):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    reached = set(order)
    return order + [node for node in range(count) if node not in reached]


def flowing(count: int, edges: Sequence[Edge], has_weights: Sequence[bool]) -> list[Edge]:
    """The edges without those of masks and other inputs, which no weight has touched, beside the flow."""
    parents, _ = parents_and_children(count, edges)
    is_touched = list(has_weights)
    for node in depth_first(count, edges):
        is_touched[node] = is_touched[node] or any(is_touched[parent] for parent in parents[node])
    beside = [any(is_touched[parent] for parent in above) for above in parents]
    return [(a, b) for a, b in edges if is_touched[a] or not beside[b]]


def segments(order: Sequence[int], edges: Sequence[Edge], is_large: IsLarge) -> list[Segment]:
    """The runs of layers that end at a cut layer.

    A large one is cut without its longest edges, such as those across a U-Net and from an encoder to all
    layers of its decoder.
    """
    place = {node: i for i, node in enumerate(order)}
    spans = [(place[a], place[b]) for a, b in edges if place[a] < place[b]]
    waiting = [(0, len(order), len(order))]
    done: list[tuple[int, int, int]] = []
    while waiting:
        start, stop, longest = waiting.pop()
        for a, b in _between_cuts(start, stop, _inside(spans, start, stop, longest)):
            shorter = min(longest, b - a) // 2 if is_large(order[a:b]) else 0
            (waiting if shorter else done).append((a, b, shorter))
    return [tuple(order[a:b]) for a, b, _ in sorted(done)]


def _inside(spans: Sequence[Edge], start: int, stop: int, longest: int) -> list[Edge]:
    return [(a, b) for a, b in spans if start <= a and b < stop and b - a <= longest]


def _between_cuts(first: int, end: int, spans: Sequence[Edge]) -> list[tuple[int, int]]:
    """Where no edge passes over a layer, a run ends with it."""
    passing = [0] * (end - first + 1)
    for a, b in spans:
        if b - a > 1:
            passing[a - first + 1] += 1
            passing[b - first] -= 1
    over, ends = 0, [first]
    for i in range(end - first):
        over += passing[i]
        if not over:
            ends.append(first + i + 1)
    if ends[-1] != end:
        ends.append(end)
    return list(pairwise(ends))
