"""Alignment of two ordered lists with gaps: an inserted or missing element shifts nothing.

Short lists are aligned by a table of the best sums of scores (Needleman-Wunsch) in time O(n m). Long ones by
their few differences (Myers 1986, "An O(ND) difference algorithm"), or cut at keys that occur once and each
part by itself.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from weightbridge.model.tensors import Array

CELLS = 1_000_000  # above this two lists that are nearly alike are aligned without a table
MOST_CELLS = 25_000_000  # above this no table is made
MOST_WORTH_CELLS = 4_000_000  # the same where elements differ in worth
MOST_EDITS = 300  # beyond this the search, quadratic in the edits, is no longer fast
BAND = 64
CLOSE = 1e-6

Pairs = list[tuple[int, int]]
Keys = Sequence[str]


def align(source: Keys, target: Keys, tie_break: Array | None = None) -> Pairs:
    """Pairs (i, j), rising in both, of equal keys, as many as possible.

    tie_break: of alignments of as many pairs, the one with the larger sum of `tie_break[i, j]` (0 to 1).
    """
    if tie_break is not None:
        return _by_table(source, target, tie_break) if source and target else []
    start = _common_start(source, target)
    rest = _aligned(source[start:], target[start:])
    return [*((n, n) for n in range(start)), *((start + i, start + j) for i, j in rest)]


def align_by_worth(
    source: Sequence[int], target: Sequence[int], worth: Sequence[float]
) -> list[tuple[int, int, bool]]:
    """(i, j, is_only), rising in both, of equal keys, of the largest sum of `worth[i]`.

    is_only: every best alignment joins j to i. Long lists that are not equal are not aligned.
    """
    if list(source) == list(target):
        return [(n, n, True) for n in range(len(source))]
    if not source or not target or len(source) * len(target) > MOST_WORTH_CELLS:
        return []
    a, b, w = np.array(source), np.array(target), np.array(worth)
    ahead = _worth_sums(a, b, w)
    behind = _worth_sums(a[::-1], b[::-1], w[::-1])[::-1, ::-1]
    best = ahead[-1, -1] - CLOSE
    is_best = (a[:, None] == b[None, :]) & (ahead[:-1, :-1] + w[:, None] + behind[1:, 1:] > best)
    is_left_out_by_some = (ahead[:, :-1] + behind[:, 1:]).max(0) > best
    is_only = (is_best.sum(0) == 1) & ~is_left_out_by_some
    return [(i, j, bool(is_only[j])) for i, j in _best_path(is_best, ahead, w)]


def _common_start(source: Keys, target: Keys) -> int:
    """How many keys agree from the left on: to pair those is never worse, and it is what the table does."""
    for n, (a, b) in enumerate(zip(source, target, strict=False)):
        if a != b:
            return n
    return min(len(source), len(target))


def _aligned(source: Keys, target: Keys) -> Pairs:
    cells = len(source) * len(target)
    if not cells:
        return []
    pairs = _by_fewest_edits(source, target) if cells > CELLS else None
    if pairs is not None:
        return pairs
    if cells <= MOST_CELLS:
        return _by_table(source, target, None)
    anchors = _longest_rising(_unique_pairs(source, target))
    return _between(source, target, anchors) if anchors else _within_band(source, target)


def _best_sums(row_scores: Callable[[int], Array], best: Array) -> Array:
    """best[i, j]: the largest sum of the first i and the first j, filled row by row from zeros."""
    for i in range(len(best) - 1):
        row = np.maximum(best[i, :-1] + row_scores(i), best[i, 1:])
        best[i + 1, 1:] = np.maximum.accumulate(row)
    return best


def _by_table(source: Keys, target: Keys, tie_break: Array | None) -> Pairs:
    codes = {key: n for n, key in enumerate(dict.fromkeys([*source, *target]))}
    a, b = (np.array([codes[key] for key in side], np.int32) for side in (source, target))

    def row_scores(i: int) -> Array:
        bonus = 0.0 if tie_break is None else tie_break[i]
        return np.where(b == a[i], 1.0 + bonus / (4 * len(b)), -1.0)

    return _table_path(_best_sums(row_scores, np.zeros((len(a) + 1, len(b) + 1), np.float32)))


def _table_path(best: Array) -> Pairs:
    """The pairs of the best alignment that a table of sums holds, from its end."""
    pairs: Pairs = []
    i, j = best.shape[0] - 1, best.shape[1] - 1
    while i and j:
        if best[i, j] == best[i, j - 1]:
            j -= 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _worth_sums(a: Array, b: Array, worth: Array) -> Array:
    best = np.zeros((len(a) + 1, len(b) + 1))
    return _best_sums(lambda i: np.where(b == a[i], worth[i], -1.0), best)


def _best_path(is_best: Array, ahead: Array, worth: Array) -> Pairs:
    """One best alignment, from its end."""
    pairs: Pairs = []
    i, j = is_best.shape
    while i and j:
        if is_best[i - 1, j - 1] and abs(ahead[i - 1, j - 1] + worth[i - 1] - ahead[i, j]) < CLOSE:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif abs(ahead[i, j] - ahead[i - 1, j]) < CLOSE:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _by_fewest_edits(source: Keys, target: Keys) -> Pairs | None:
    """By the fewest insertions and removals; None for lists that are more than MOST_EDITS apart.

    Time O((n + m) D) for D edits.
    """
    reached = {1: 0}  # diagonal i - j -> the furthest i on it
    trace: list[dict[int, int]] = []
    for edits in range(min(len(source) + len(target), MOST_EDITS) + 1):
        read = range(-edits + 1, edits + 2, 2)  # the diagonals that this step reads of the step before
        trace.append({diagonal: reached[diagonal] for diagonal in read if diagonal in reached})
        for diagonal in range(-edits, edits + 1, 2):
            i = _furthest(source, target, diagonal, _entry(reached, diagonal, edits))
            reached[diagonal] = i
            if i >= len(source) and i - diagonal >= len(target):
                return _traced(trace, len(source), len(target))
    return None


def _furthest(source: Keys, target: Keys, diagonal: int, i: int) -> int:
    """The place in the source up to which the keys on a diagonal are equal."""
    end = min(len(source), len(target) + diagonal)
    while i < end and source[i] == target[i - diagonal]:
        i += 1
    return i


def _entry(reached: dict[int, int], diagonal: int, edits: int) -> int:
    """Where a path of so many edits enters a diagonal: from above by an insertion, else by a removal."""
    if _is_insertion(reached, diagonal, edits):
        return reached[diagonal + 1]
    return reached[diagonal - 1] + 1


def _is_insertion(reached: dict[int, int], diagonal: int, edits: int) -> bool:
    return diagonal == -edits or (diagonal != edits and reached[diagonal - 1] < reached[diagonal + 1])


def _traced(trace: Sequence[dict[int, int]], i: int, j: int) -> Pairs:
    """The pairs of the path that ends at (i, j), from its end."""
    pairs: Pairs = []
    for edits in range(len(trace) - 1, -1, -1):
        diagonal = i - j
        entry = _entry(trace[edits], diagonal, edits)
        while i > entry:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        if _is_insertion(trace[edits], diagonal, edits):
            j -= 1
        else:
            i -= 1
    return pairs[::-1]


def _between(source: Keys, target: Keys, anchors: Pairs) -> Pairs:
    """The anchors, and the gaps between them aligned by themselves."""
    pairs: Pairs = []
    i, j = 0, 0
    for anchor in [*anchors, (len(source), len(target))]:
        gap = align(source[i : anchor[0]], target[j : anchor[1]])
        pairs += [(i + a, j + b) for a, b in gap]
        if anchor[0] < len(source):
            pairs.append(anchor)
        i, j = anchor[0] + 1, anchor[1] + 1
    return pairs


def _unique_pairs(source: Keys, target: Keys) -> Pairs:
    """Places of the keys that occur once on each side, in the order of the source."""
    in_source, in_target = Counter(source), Counter(target)
    places = {key: j for j, key in enumerate(target)}
    return [(i, places[key]) for i, key in enumerate(source) if in_source[key] == 1 == in_target[key]]


def _longest_rising(pairs: Pairs) -> Pairs:
    """The most pairs that keep the order of both sides, by patience sorting."""
    tails: list[int] = []  # for each length of a rising sequence, the least target place that ends one
    tops: list[int] = []  # the pair that this place belongs to
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        length = bisect_left(tails, j)
        before.append(tops[length - 1] if length else -1)
        if length == len(tails):
            tails.append(j)
            tops.append(n)
        tails[length], tops[length] = j, n
    rising: Pairs = []
    last = tops[-1] if tops else -1
    while last >= 0:
        rising.append(pairs[last])
        last = before[last]
    return rising[::-1]


def _within_band(source: Keys, target: Keys) -> Pairs:
    """Without anchors: the next equal key within a band."""
    pairs, start = [], 0
    for i, key in enumerate(source):
        band = range(start, min(start + BAND, len(target)))
        place = next((j for j in band if target[j] == key), None)
        if place is not None:
            pairs.append((i, place))
            start = place + 1
    return pairs
