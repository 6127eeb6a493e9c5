"""Filters for a layer that mixes no channels: by channel, the weighing of its taps that predicts most."""

import numpy as np
import scipy

from weightbridge.adapters.fit.directions import COLUMNS, RAISED, Linear, leading, root_of
from weightbridge.adapters.fit.solve import solve
from weightbridge.model.tensors import Array

WANTED = 64  # directions of what is to be predicted


def filters(x: Array, y: Array, count: int, held: Array, random: np.random.Generator) -> Linear:
    """`count` filters for each channel, of what they give with variance 1, raised above zero.

    x: (rows, taps, channels). y is regressed on all taps; of each channel the leading filters are kept.
    """
    x = np.asarray(x, dtype="float64")
    wanted = leading(y / (y.std(0) + 1e-9), WANTED, random)
    taps, channels = int(x.shape[1]), int(x.shape[2])
    some = max(COLUMNS // taps, 1)  # channels of one regression
    weights, scores, products = [], [], 0
    for start in range(0, channels, some):
        part = x[:, :, start : start + some]
        best = solve(part.reshape(len(part), -1), wanted, held)
        found = best.weights.reshape(taps, -1, best.weights.shape[1])
        weights += [_leading(part[:, :, c], found[:, c], count) for c in range(found.shape[1])]
        scores.append(best.r2)
        products += best.products
    given = np.einsum("rtc,tcm->rcm", x, np.stack(weights, axis=1)).reshape(len(x), -1)
    spread = given.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    flat = np.stack(weights, axis=1).reshape(taps, -1) / spread
    return Linear(flat, RAISED - given.mean(0) / spread, float(np.mean(scores)), products)


def _leading(x: Array, weights: Array, count: int) -> Array:
    """(taps, count) of (taps, channels out), by what they contribute for these rows (rows, taps)."""
    x = x - x.mean(0)
    root = root_of(x.T @ x / len(x))
    left, _, _ = scipy.linalg.svd(root.T @ weights, full_matrices=False)
    found = scipy.linalg.solve_triangular(root.T, left)
    return np.asarray(found[:, np.arange(count) % found.shape[-1]])
