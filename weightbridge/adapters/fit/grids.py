"""Maps brought to another grid: means of areas where it is coarser, else linear."""

from functools import cache
from math import prod

import numpy as np

from weightbridge.model.tensors import Array


def resized(x: Array, grid: tuple[int, ...]) -> Array:
    """(n, *places, channels) on another grid; () is the mean over all places, and a vector is spread."""
    if x.shape[1:-1] == grid:
        return x
    if not grid:
        return np.asarray(x.mean(axis=tuple(range(1, x.ndim - 1))))
    if x.ndim == 2:
        return np.broadcast_to(x.reshape(len(x), *(1,) * len(grid), -1), (len(x), *grid, x.shape[-1]))
    for axis, size in enumerate(grid, 1):
        flat = x.reshape(prod(x.shape[:axis]), x.shape[axis], -1)
        made = np.matmul(_matrix(x.shape[axis], size).astype(x.dtype), flat)
        x = made.reshape(*x.shape[:axis], size, *x.shape[axis + 1 :])
    return x


@cache
def _matrix(before: int, after: int) -> Array:
    """(after, before), rows that sum to 1."""
    if after <= before:
        edges = np.arange(after + 1) * before / after
        places = np.arange(before)
        low, high = edges[:-1, None], edges[1:, None]
        overlap = np.clip(np.minimum(high, places + 1) - np.maximum(low, places), 0, None)
        return np.asarray(overlap / overlap.sum(1, keepdims=True))
    at = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    return np.asarray(np.clip(1 - np.abs(at[:, None] - np.arange(before)), 0, None))
