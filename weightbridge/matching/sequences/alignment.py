"""Alignment of two ordered lists with gaps: an inserted or missing element shifts nothing. Maximises the sum
of scores.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

import numpy as np

from weightbridge.matching.sequences.edits import fewest_edits
from weightbridge.model.tensors import Array

CELLS = 1_000_000  # above this two lists that are nearly alike are aligned without a table
TABLE = 25_000_000  # above this no table is made
BAND = 64

Pairs = list[tuple[int, int]]


def align(source: Sequence[str], target: Sequence[str], tie_break: Array | None = None) -> Pairs:
    """Pairs (i, j), rising in both, of equal keys; as many as possible, then those with the larger
    `tie_break[i, j]` (0 to 1).

    Short lists by a table in time O(n m); long ones by their few differences, or cut at unique keys and each
    part by itself.
    """
    if tie_break is None:
        start = _common_start(source, target)
        rest = _aligned(source[start:], target[start:])
        return [*((n, n) for n in range(start)), *((start + i, start + j) for i, j in rest)]
    return _table(source, target, tie_break) if source and target else []


def _common_start(source: Sequence[str], target: Sequence[str]) -> int:
    """How many keys agree from the left on: pairing those is never worse, and it is what the table does."""
    return next(
        (n for n, (a, b) in enumerate(zip(source, target, strict=False)) if a != b),
        min(len(source), len(target)),
    )


def _aligned(source: Sequence[str], target: Sequence[str]) -> Pairs:
    cells = len(source) * len(target)
    if not cells:
        return []
    found = fewest_edits(source, target) if cells > CELLS else None
    if found is not None:
        return found
    if cells <= TABLE:
        return _table(source, target, None)
    anchors = _rising(_unique_pairs(source, target))
    return _between(source, target, anchors) if anchors else _greedy(source, target)


def _table(source: Sequence[str], target: Sequence[str], tie_break: Array | None) -> Pairs:
    codes = {key: n for n, key in enumerate(dict.fromkeys([*source, *target]))}
    a, b = (np.array([codes[k] for k in side], np.int32) for side in (source, target))
    best = np.zeros((len(a) + 1, len(b) + 1), np.float32)
    for i in range(len(a)):
        score = np.where(b == a[i], 1.0 + (0.0 if tie_break is None else tie_break[i]) / (4 * len(b)), -1.0)
        row = np.maximum(best[i, :-1] + score, best[i, 1:])
        best[i + 1, 1:] = np.maximum.accumulate(row)
    return _traceback(best, a, b)


def _traceback(best: Array, a: Array, b: Array) -> Pairs:
    pairs: Pairs = []
    i, j = len(a), len(b)
    while i and j:
        if best[i, j] == best[i, j - 1]:
            j -= 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _between(source: Sequence[str], target: Sequence[str], anchors: Pairs) -> Pairs:
    """The anchors, and the gaps between them aligned by themselves."""
    pairs: Pairs = []
    i, j = 0, 0
    for end in [*anchors, (len(source), len(target))]:
        pairs += ((i + a, j + b) for a, b in align(source[i : end[0]], target[j : end[1]]))
        i, j = end[0] + 1, end[1] + 1
        pairs += [end] if end[0] < len(source) else []
    return pairs


def _unique_pairs(source: Sequence[str], target: Sequence[str]) -> Pairs:
    """Places of the keys that occur once on each side, in the order of the source."""
    counts = Counter(source), Counter(target)
    places = {key: j for j, key in enumerate(target)}
    return [(i, places[key]) for i, key in enumerate(source) if counts[0][key] == 1 == counts[1][key]]


def _rising(pairs: Pairs) -> Pairs:
    """The most pairs that keep the order of both sides: a longest rising sequence, by patience sorting."""
    tails: list[
        int
    ] = []  # the least last target place of a rising sequence of each length, and below which pair it is
    tops: list[int] = []
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        length = bisect_left(tails, j)
        before.append(tops[length - 1] if length else -1)
        if length == len(tails):
            tails.append(j)
            tops.append(n)
        tails[length], tops[length] = j, n
    kept: Pairs = []
    last = tops[-1] if tops else -1
    while last >= 0:
        kept.append(pairs[last])
        last = before[last]
    return kept[::-1]


def _greedy(source: Sequence[str], target: Sequence[str]) -> Pairs:
    """Without anchors: the next equal key within a band."""
    pairs, start = [], 0
    for i, key in enumerate(source):
        found = next((j for j in range(start, min(start + BAND, len(target))) if target[j] == key), None)
        if found is not None:
            pairs.append((i, found))
            start = found + 1
    return pairs
