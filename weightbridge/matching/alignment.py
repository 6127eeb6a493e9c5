"""Alignment of two ordered lists with gaps: an inserted or missing element shifts nothing. Maximises the sum of scores."""

from collections.abc import Sequence

import numpy as np

from weightbridge.tensors import Array

CELLS = 25_000_000  # above this the table is cut at keys that occur once on each side


def align(source: Sequence[str], target: Sequence[str], tie_break: Array | None = None) -> list[tuple[int, int]]:
    """Pairs (i, j), rising in both, of equal keys; as many as possible, then those with the larger `tie_break[i, j]` (0 to 1).

    Time O(n m) in vectorised rows; longer lists are first cut at unique keys.
    """
    if not source or not target:
        return []
    if len(source) * len(target) > CELLS:
        return _cut(source, target)
    codes = {key: n for n, key in enumerate(dict.fromkeys([*source, *target]))}
    a, b = (np.array([codes[k] for k in side], np.int32) for side in (source, target))
    best = np.zeros((len(a) + 1, len(b) + 1), np.float32)
    for i in range(len(a)):
        score = np.where(b == a[i], 1.0 + (0.0 if tie_break is None else tie_break[i]) / (4 * len(b)), -1.0)
        row = np.maximum(best[i, :-1] + score, best[i, 1:])
        best[i + 1, 1:] = np.maximum.accumulate(row)
    return _traceback(best, a, b)


def _traceback(best: Array, a: Array, b: Array) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
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


def _cut(source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    """Anchors at keys that are unique on both sides and rise together; the gaps between them are aligned by themselves."""
    anchors = _rising([(i, j) for i, j in _unique_pairs(source, target)])
    if not anchors:
        return _greedy(source, target)
    pairs, last = [], (-1, -1)
    for anchor in [*anchors, (len(source), len(target))]:
        gap = (range(last[0] + 1, anchor[0]), range(last[1] + 1, anchor[1]))
        inner = align([source[i] for i in gap[0]], [target[j] for j in gap[1]])
        pairs += [(gap[0][i], gap[1][j]) for i, j in inner]
        pairs += [anchor] if anchor[0] < len(source) else []
        last = anchor
    return pairs


def _unique_pairs(source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    places: list[dict[str, list[int]]] = [{}, {}]
    for side, found in zip((source, target), places, strict=True):
        for n, key in enumerate(side):
            found.setdefault(key, []).append(n)
    return sorted((i[0], places[1][k][0]) for k, i in places[0].items() if len(i) == 1 and len(places[1].get(k, ())) == 1)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs that keep the order of both sides, greedily from the left."""
    kept: list[tuple[int, int]] = []
    for pair in pairs:
        if not kept or pair[1] > kept[-1][1]:
            kept.append(pair)
    return kept


def _greedy(source: Sequence[str], target: Sequence[str], band: int = 64) -> list[tuple[int, int]]:
    """Without anchors: the next equal key within a band."""
    pairs, start = [], 0
    for i, key in enumerate(source):
        found = next((j for j in range(start, min(start + band, len(target))) if target[j] == key), None)
        if found is not None:
            pairs.append((i, found))
            start = found + 1
    return pairs
