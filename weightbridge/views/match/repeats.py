"""Repeats: neighbours that are alike, one by one or in periods of up to four, become one with a count."""

from collections.abc import Hashable, Sequence

LONGEST = 4  # of a period


def folded(signatures: Sequence[Hashable]) -> list[tuple[int, ...]]:
    """The places that become one, in order of the first of each: `abab` -> (0, 2), (1, 3)."""
    groups: list[tuple[int, ...]] = []
    i = 0
    while i < len(signatures):
        period, times = _best(signatures, i)
        groups += [tuple(range(i + k, i + period * times, period)) for k in range(period)]
        i += period * times
    return groups


def _best(signatures: Sequence[Hashable], first: int) -> tuple[int, int]:
    """The period that folds most, and how often it comes; the shorter of equals."""
    found = [(period, _times(signatures, first, period)) for period in range(1, LONGEST + 1)]
    best = max(found, key=lambda pair: (pair[0] * (pair[1] - 1), -pair[0]))
    return best if best[1] > 1 else (1, 1)


def _times(signatures: Sequence[Hashable], first: int, period: int) -> int:
    times = 1
    pattern = signatures[first : first + period]
    while signatures[first + period * times : first + period * (times + 1)] == pattern:
        times += 1
    return times
