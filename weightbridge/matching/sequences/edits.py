"""The fewest insertions and removals that turn one long list into another (Myers 1986, "An O(ND) difference
algorithm").
"""

from collections.abc import Sequence

EDITS = 300  # beyond this the search, quadratic in the edits, is no longer fast

Pairs = list[tuple[int, int]]


def fewest_edits(source: Sequence[str], target: Sequence[str]) -> Pairs | None:
    """Pairs (i, j), rising in both, of equal keys, as many as possible; None for lists that are more than
    `EDITS` apart.

    Time O((n + m) D) for D edits.
    """
    reached = {1: 0}  # diagonal i - j -> the furthest i on it
    trace: list[dict[int, int]] = []
    for edits in range(min(len(source) + len(target), EDITS) + 1):
        trace.append(_level(reached, edits))
        for diagonal in range(-edits, edits + 1, 2):
            i = _entry(reached, diagonal, edits)
            i = _along(source, target, i, i - diagonal)
            reached[diagonal] = i
            if i >= len(source) and i - diagonal >= len(target):
                return _traced(trace, len(source), len(target))
    return None


def _level(reached: dict[int, int], edits: int) -> dict[int, int]:
    """What the step to `edits` reads of the step before."""
    return {k: reached[k] for k in range(-edits + 1, edits + 2, 2) if k in reached}


def _entry(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Where a path of so many edits enters a diagonal: from above by an insertion, or from the left by a
    removal.
    """
    if diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1]):
        return reached[diagonal + 1]
    return reached[diagonal - 1] + 1


def _along(source: Sequence[str], target: Sequence[str], i: int, j: int) -> int:
    while i < len(source) and j < len(target) and source[i] == target[j]:
        i, j = i + 1, j + 1
    return i


def _traced(trace: Sequence[dict[int, int]], i: int, j: int) -> Pairs:
    """The pairs of the path that ends at (i, j), from its end."""
    pairs: Pairs = []
    for edits in range(len(trace) - 1, -1, -1):
        diagonal = i - j
        entry = _entry(trace[edits], diagonal, edits)
        while i > entry:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        if diagonal == -edits or (
            diagonal != edits and trace[edits][diagonal - 1] < trace[edits][diagonal + 1]
        ):
            j -= 1
        else:
            i -= 1
    return pairs[::-1]
