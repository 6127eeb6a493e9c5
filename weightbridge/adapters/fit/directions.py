"""Directions for a layer between features: few numbers of what it reads that predict what is behind it."""

from dataclasses import dataclass

import numpy as np
import scipy

from weightbridge.adapters.fit.solve import solve
from weightbridge.model.tensors import Array

RAISED = 1.0  # standard deviations above zero: most of a direction gets through an activation that cuts off
COLUMNS = 576  # of one regression
ROWS_A_DIRECTION = 4  # of few rows few directions are known
PENALTY, LEAST = 1e-3, 0.3  # of a direction's mean variance; the spread that the penalty must leave
SPARE = 8  # random directions more than are wanted


@dataclass(frozen=True, slots=True)
class Linear:
    """What a layer computes before its norm: weights (columns in, channels out) and a bias.

    products: the multiplications of the Gram matrices and of their decompositions.
    """

    weights: Array
    bias: Array
    r2: float
    products: int = 0


class Space:
    """What a layer reads, in no more directions than one regression can bear."""

    def __init__(self, middle: Array, places: int, random: np.random.Generator) -> None:
        """middle: rows (rows, columns) of one place. places: how many of one regression."""
        self._mean = middle.mean(0, dtype="float64").astype(middle.dtype)
        count = max(COLUMNS // places, 1)
        self._basis = None if middle.shape[1] <= count else _basis(middle - self._mean, count, random)
        self._middle = self.seen(middle)

    def seen(self, x: Array) -> Array:
        """Rows in these directions."""
        centred = x - self._mean
        return centred if self._basis is None else np.asarray(centred @ self._basis)

    def directions(
        self, inner: Array, y: Array, count: int, held: Array, random: np.random.Generator
    ) -> Linear:
        """Reduced rank regression of y, each direction the same at all places.

        inner: (rows, places, directions), zeros at places outside of the map. Where more are wanted than
        predict, random ones follow.
        """
        best = solve(inner.reshape(len(inner), -1), y, held)
        flat = inner.reshape(-1, inner.shape[-1])
        weights = best.weights.reshape(*inner.shape[1:], y.shape[1])
        found = _left(weights, np.asarray(flat.T @ flat / len(flat), dtype="float64"))
        found = found[:, _varying(self._middle @ found)][:, : min(count, len(inner) // ROWS_A_DIRECTION)]
        missing = count - found.shape[1]
        if missing > 0:
            found = np.hstack([found, random.standard_normal((len(found), missing))])
        spread = (self._middle @ found).std(0)
        found = found / np.where(spread > 1e-9, spread, 1.0)
        found = found if self._basis is None else self._basis @ found
        return Linear(found, RAISED - self._mean @ found, best.r2, best.products)


def leading(y: Array, count: int, random: np.random.Generator) -> Array:
    """The part of y that varies most, in no more columns than this."""
    if y.shape[1] <= count:
        return y
    centred = y - y.mean(0)
    return np.asarray(centred @ _basis(centred, count, random))


def root_of(covariance: Array) -> Array:
    """The lower Cholesky factor, with the penalty on the variances."""
    penalty = PENALTY * np.trace(covariance) / len(covariance) + 1e-30
    shifted = covariance + penalty * np.eye(len(covariance))
    return np.asarray(scipy.linalg.cholesky(shifted, lower=True))


def _basis(x: Array, count: int, random: np.random.Generator) -> Array:
    """Orthonormal directions in which centred x varies most (Halko, Martinsson and Tropp, 2011)."""
    guess = x.T @ (x @ random.standard_normal((x.shape[1], count + SPARE)).astype(x.dtype))
    found, _ = scipy.linalg.qr(guess, mode="economic")
    return np.asarray(found[:, :count])


def _varying(given: Array) -> Array:
    """Which of these, uncorrelated and of variance 1 but for a penalty, do vary: others would be noise."""
    return np.asarray(given.std(0) > LEAST)


def _left(weights: Array, covariance: Array) -> Array:
    """Directions by what they contribute to (places, columns, channels), uncorrelated."""
    root = root_of(covariance)
    stacked = root.T @ np.concatenate(list(weights), axis=1)
    if stacked.shape[1] < len(stacked):
        _, turned = scipy.linalg.eigh(stacked.T @ stacked)
        vectors, _ = scipy.linalg.qr(stacked @ turned[:, ::-1], mode="economic")
    else:
        _, vectors = scipy.linalg.eigh(stacked @ stacked.T)
        vectors = vectors[:, ::-1]
    return np.asarray(scipy.linalg.solve_triangular(root.T, vectors))
