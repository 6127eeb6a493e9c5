"""Nodes by number in an order in which edges go forward."""

from collections.abc import Sequence

Edge = tuple[int, int]


def parents_and_children(count: int, edges: Sequence[Edge]) -> tuple[list[list[int]], list[list[int]]]:
    """The neighbours of each node, in the order of the edges."""
    parents: list[list[int]] = [[] for _ in range(count)]
    children: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        parents[b].append(a)
        children[a].append(b)
    return parents, children


def forward(count: int, edges: Sequence[Edge]) -> list[int]:
    """The nodes, each behind its parents; those of cycles and behind them are missing."""
    parents, children = parents_and_children(count, edges)
    waiting = [len(above) for above in parents]
    order = [node for node in range(count) if not waiting[node]]
    for node in order:  # grows while it is read
        for child in children[node]:
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    return order


def positions(count: int, edges: Sequence[Edge]) -> list[int]:
    """Each node's position in that order; what stands in a cycle comes last, as the file has it."""
    order = forward(count, edges)
    reached = set(order)
    order += [node for node in range(count) if node not in reached]
    position = [0] * count
    for place, node in enumerate(order):
        position[node] = place
    return position
