"""Ridge regression in float64, dual where rows are few; the penalty is chosen on held-out rows."""

from dataclasses import dataclass

import numpy as np
import scipy

from weightbridge.model.tensors import Array

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
AMPLE = 8  # rows a column
ROUNDS = 8  # of aiming below zero where the prediction is negative anyway
LARGE = 900  # columns beyond which an eigendecomposition takes long


@dataclass(frozen=True, slots=True)
class Solution:
    """y = x @ weights + bias; r2 on held-out rows, of all channels together, and of each."""

    weights: Array
    bias: Array
    r2: float
    each: Array


def solve(
    x: Array, y: Array, held: Array, *, is_centred: bool = True, is_rectified: bool = False
) -> Solution:
    """Least squares with a penalty relative to the mean variance of x.

    held: which rows choose the penalty and measure R2. They are fitted to as well where rows are many; where
    they are few, what every layer before has learnt by heart would look like knowledge to the next one.
    """
    x, y = np.asarray(x, dtype="float64"), np.asarray(y, dtype="float64")
    ridge = _Ridge(x[~held], y[~held], is_centred)
    penalties = PENALTIES if min(x.shape) <= LARGE else PENALTIES[2:9:3]
    scores = {penalty: _r2(y[held], ridge.predicted(x[held], penalty)) for penalty in penalties}
    best = max(penalties, key=lambda penalty: _total(scores[penalty]))
    if len(x) >= AMPLE * x.shape[1]:
        ridge = _Ridge(x, y, is_centred)
    else:
        x, y = x[~held], y[~held]
    weights, bias = ridge.solution(best)
    each = scores[best]
    for _ in range(ROUNDS if is_rectified else 0):
        found = x @ weights + bias
        ridge.aim(np.where(y > 0, y, np.minimum(found, 0)))
        weights, bias = ridge.solution(best)
    return Solution(weights, bias, _total(each), 1 - each[0] / np.maximum(each[1], 1e-30))


def r2(y: Array, found: Array) -> float:
    return _total(_r2(y, found))


class _Ridge:
    """One decomposition serves all penalties."""

    def __init__(self, x: Array, y: Array, is_centred: bool) -> None:
        self._mean = x.mean(0) if is_centred else np.zeros(x.shape[1])
        self._level = y.mean(0) if is_centred else np.zeros(y.shape[1])
        centred = x - self._mean
        self._is_dual = len(x) < x.shape[1]
        self._x, self._y = centred, y - self._level
        gram = centred @ centred.T if self._is_dual else centred.T @ centred
        self._scale = np.trace(gram) / min(x.shape) + 1e-30
        self._right = self._y if self._is_dual else centred.T @ self._y
        self._gram = gram
        self._eigen: tuple[Array, Array] | None = scipy.linalg.eigh(gram) if len(gram) <= LARGE else None

    def aim(self, y: Array) -> None:
        """At other values for the same rows."""
        self._level = y.mean(0) if self._level.any() else self._level
        self._y = y - self._level
        self._right = self._y if self._is_dual else self._x.T @ self._y

    def solution(self, penalty: float) -> tuple[Array, Array]:
        strength = penalty * self._scale
        if self._eigen is not None:
            values, vectors = self._eigen
            inner = vectors @ (vectors.T @ self._right / (np.maximum(values, 0) + strength)[:, None])
        else:
            shifted = self._gram + strength * np.eye(len(self._gram))
            inner = scipy.linalg.solve(shifted, self._right, assume_a="pos", overwrite_a=True)
        weights = self._x.T @ inner if self._is_dual else inner
        return weights, self._level - self._mean @ weights

    def predicted(self, x: Array, penalty: float) -> Array:
        weights, bias = self.solution(penalty)
        return np.asarray(x @ weights + bias)


def _r2(y: Array, found: Array) -> tuple[Array, Array]:
    """Sums of squares that are left, and that there are, by channel."""
    return ((y - found) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)


def _total(sums: tuple[Array, Array]) -> float:
    return float(1 - sums[0].sum() / max(sums[1].sum(), 1e-30))
