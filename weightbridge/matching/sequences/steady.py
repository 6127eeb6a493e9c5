"""Alignment of two ordered lists that says of each pair whether every best alignment has it."""

from collections.abc import Sequence

import numpy as np

from weightbridge.model.tensors import Array

CELLS = 4_000_000  # above this no table is made: nothing is paired unless the lists are equal
CLOSE = 1e-6


def steady_pairs(
    source: Sequence[int], target: Sequence[int], worth: Sequence[float]
) -> list[tuple[int, int, bool]]:
    """(i, j, only), rising in both, of equal keys, of the largest sum of `worth[i]`; only: every best
    alignment joins j to i.
    """
    if list(source) == list(target):
        return [(n, n, True) for n in range(len(source))]
    if not source or not target or len(source) * len(target) > CELLS:
        return []
    a, b, w = np.array(source), np.array(target), np.array(worth)
    ahead = _best(a, b, w)
    behind = _best(a[::-1], b[::-1], w[::-1])[::-1, ::-1]
    through = ahead[:-1, :-1] + w[:, None] + behind[1:, 1:]
    is_best = (a[:, None] == b[None, :]) & (through > ahead[-1, -1] - CLOSE)
    is_spared = (ahead[:, :-1] + behind[:, 1:]).max(0) > ahead[
        -1, -1
    ] - CLOSE  # some best alignment leaves j out
    is_only = (is_best.sum(0) == 1) & ~is_spared
    return [(i, j, bool(is_only[j])) for i, j in _path(is_best, ahead, w)]


def _best(a: Array, b: Array, worth: Array) -> Array:
    """best[i, j]: the largest sum of the first i and the first j."""
    best = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(len(a)):
        score = np.where(b == a[i], worth[i], -1.0)
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, :-1] + score, best[i, 1:]))
    return best


def _path(is_best: Array, ahead: Array, worth: Array) -> list[tuple[int, int]]:
    """One best alignment, from its end."""
    pairs: list[tuple[int, int]] = []
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
