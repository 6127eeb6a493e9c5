"""Ridge regression in float64, dual where rows are few; the penalty is chosen on held-out rows.

Of many rows and columns only what is predicted is float32: Gram matrices would not be positive then.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy

from weightbridge.model.tensors import Array

PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
USUAL = 4  # the penalty that is tried first
AMPLE = 8  # rows a column
ROUNDS = 8  # of aiming below zero where the prediction is negative anyway
SETTLED = 0.01  # of the error: a round that takes less off is the last one
LARGE = 500  # rows and columns beyond which each further penalty takes long
BLOCK = 1024  # rows that are float64 at once


@dataclass(frozen=True, slots=True)
class Solution:
    """y = x @ weights + bias; r2 on held-out rows, of all channels together, and of each.

    products: the multiplications of the Gram matrices and their decompositions.
    """

    weights: Array
    bias: Array
    r2: float
    each: Array
    products: int


def solve(
    x: Array, y: Array, held: Array, *, is_centred: bool = True, is_rectified: bool = False
) -> Solution:
    """Least squares with a penalty relative to the mean variance of x.

    held: which rows choose the penalty and measure R2. They are fitted to as well where rows are many; where
    they are few, what every layer before has learnt by heart would look like knowledge to the next one.
    """
    x, y = _rows(x), np.asarray(y, dtype="float64")
    level = x.mean(0, dtype="float64").astype(x.dtype) if is_centred else np.zeros_like(x[0])
    x = x - level  # sums of products keep their digits
    part, others = (x[~held], y[~held]), (x[held], y[held])
    ridge = _Ridge(*part, is_centred)
    penalty, sums = _chosen(ridge, *others)
    if len(x) >= AMPLE * x.shape[1]:
        ridge = _Ridge(x, y, is_centred, of_rows=ridge.moments + _moments(*others))
    else:
        y = part[1]
    inner = ridge.solution(penalty)
    if is_rectified:
        inner = _aimed(ridge, y, inner, penalty)
    weights, bias = ridge.weights(inner)
    each = 1 - sums[0] / np.maximum(sums[1], 1e-30)
    return Solution(weights, bias - level @ weights, _total(sums), each, ridge.products)


def r2(y: Array, found: Array) -> float:
    return _total(_r2(y, found))


def _chosen(ridge: "_Ridge", x: Array, y: Array) -> tuple[float, tuple[Array, Array]]:
    """The penalty that predicts these rows best, going on from the usual one as long as it gets better."""
    penalties = PENALTIES[::2] if ridge.size > LARGE else PENALTIES
    tried: dict[int, tuple[Array, Array]] = {}
    seen = ridge.seen(x)

    def score(place: int) -> float:
        if not 0 <= place < len(penalties):
            return -np.inf
        if place not in tried:
            tried[place] = _r2(y, ridge.predicted(ridge.solution(penalties[place]), seen))
        return _total(tried[place])

    best = penalties.index(PENALTIES[USUAL])
    for step in (1, -1):
        while score(best + step) > score(best):
            best += step
    return penalties[best], tried[best]


def _aimed(ridge: "_Ridge", y: Array, inner: Array, penalty: float) -> Array:
    """What is below zero is cut off behind: there any prediction below zero is right."""
    before, own = np.inf, ridge.own
    for _ in range(ROUNDS):
        given = ridge.predicted(inner, own)
        goal = np.where(y > 0, y, np.minimum(given, 0))
        error = float(((goal - given) ** 2).sum())
        if error > before * (1 - SETTLED):
            break
        before = error
        ridge.aim(goal)
        inner = ridge.solution(penalty)
    return inner


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over rows, of products too."""

    count: int
    x: Array
    y: Array
    xx: Array
    xy: Array

    def __add__(self, other: "_Moments") -> "_Moments":
        parts = (getattr(self, name) + getattr(other, name) for name in ("count", "x", "y", "xx", "xy"))
        return _Moments(*parts)


def _moments(x: Array, y: Array) -> _Moments:
    return _Moments(len(x), x.sum(0, dtype="float64"), y.sum(0), _gram(x), _product(x, y))


def _rows(x: Array) -> Array:
    x = np.asarray(x)
    return x if x.dtype == np.float32 and min(x.shape) > LARGE else x.astype("float64")


def _gram(x: Array) -> Array:
    """x.T @ x."""
    total = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), BLOCK):
        part = x[start : start + BLOCK].astype("float64", copy=False)
        total += part.T @ part
    return total


def _product(x: Array, y: Array) -> Array:
    """x.T @ y."""
    total = np.zeros((x.shape[1], y.shape[1]))
    for start in range(0, len(x), BLOCK):
        total += x[start : start + BLOCK].T.astype("float64", copy=False) @ y[start : start + BLOCK]
    return total


class _Ridge:
    """One Gram matrix serves all penalties. In the dual form a solution is by row, else by column."""

    def __init__(self, x: Array, y: Array, is_centred: bool, of_rows: _Moments | None = None) -> None:
        self._is_centred, self._is_dual = is_centred, len(x) < x.shape[1]
        self.size = min(x.shape)
        self._factor: tuple[float, Array] | None = None
        if self._is_dual:
            self._mean = self._centre(x.mean(0, dtype="float64"))
            self._x = x - self._mean
            self._gram = self._x @ self._x.T
            self._aim_rows(y)
        else:
            self._x = x
            self.moments = sums = of_rows or _moments(x, y)
            self._mean = self._centre(sums.x / sums.count)
            self._gram = sums.xx - sums.count * np.outer(self._mean, self._mean)
            self._aim_sums(sums)
        self._scale = float(np.trace(self._gram)) / self.size + 1e-30
        self.products = len(x) * x.shape[1] * self.size + self.size**3 // 3

    def _centre(self, means: Array) -> Array:
        return means if self._is_centred else np.zeros_like(means)

    def _aim_rows(self, y: Array) -> None:
        self._level = self._centre(y.mean(0))
        self._right = y - self._level

    def _aim_sums(self, sums: _Moments) -> None:
        self._level = self._centre(sums.y / sums.count)
        self._right = sums.xy - sums.count * np.outer(self._mean, self._level)

    @property
    def own(self) -> Array:
        """The rows that were given, as `predicted` takes them."""
        return self._gram if self._is_dual else self._x

    def seen(self, x: Array) -> Array:
        """Rows as `predicted` takes them."""
        return np.asarray((x - self._mean) @ self._x.T) if self._is_dual else x

    def predicted(self, inner: Array, seen: Array) -> Array:
        level = self._level if self._is_dual else self._level - self._mean @ inner
        return np.asarray(seen @ inner.astype(seen.dtype) + level)

    def aim(self, y: Array) -> None:
        """At other values for the same rows."""
        if self._is_dual:
            self._aim_rows(y)
        else:
            self._aim_sums(replace(self.moments, y=y.sum(0), xy=_product(self._x, y)))

    def weights(self, inner: Array) -> tuple[Array, Array]:
        """Of a solution: weights by column, and the bias."""
        weights = self._x.T @ inner if self._is_dual else inner
        return weights, self._level - self._mean @ weights

    def solution(self, penalty: float) -> Array:
        return np.asarray(
            scipy.linalg.cho_solve((self._factored(penalty), True), self._right, check_finite=False)
        )

    def _factored(self, penalty: float) -> Array:
        """The last one is kept."""
        if self._factor is None or self._factor[0] != penalty:
            shifted = self._gram.copy()
            shifted[np.diag_indices_from(shifted)] += penalty * self._scale
            factor = scipy.linalg.cholesky(shifted, lower=True, overwrite_a=True, check_finite=False)
            self._factor = penalty, factor
        return self._factor[1]


def _r2(y: Array, found: Array) -> tuple[Array, Array]:
    """Sums of squares that are left, and that there are, by channel."""
    return ((y - found) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)


def _total(sums: tuple[Array, Array]) -> float:
    return float(1 - sums[0].sum() / max(sums[1].sum(), 1e-30))
