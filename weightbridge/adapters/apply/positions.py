"""Position embeddings: bicubic on the grid, prefix (class) tokens kept."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np

from weightbridge.adapters.apply.maps import mapped
from weightbridge.model.tensors import Array

PREFIXES = (1, 2, 0)  # a class token; class and distillation tokens (DeiT); none


def grids(before: int, after: int) -> tuple[int, int, int] | None:
    """(prefix, side before, side after) where both numbers of tokens are a square grid after the same prefix,
    else None.
    """
    for prefix in PREFIXES:
        sides = isqrt(max(before - prefix, 0)), isqrt(max(after - prefix, 0))
        if min(sides) > 1 and sides[0] ** 2 + prefix == before and sides[1] ** 2 + prefix == after:
            return prefix, *sides
    return None


def resized_positions(
    arrays: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    """(1, N, D) or (N, D).

    The first `prefix` rows copied, the grid resized by separable bicubic interpolation.
    """
    table = np.asarray(arrays[0], np.float64)
    table = table.reshape(-1, table.shape[-1])
    prefix, before, after = int(parameters["prefix"]), parameters["from"], parameters["to"]
    grid = table[prefix:].reshape(*before, -1)
    total, recovered = float(np.square(grid).sum()), grid
    for axis in (0, 1):
        resize = bicubic_resize(int(before[axis]), int(after[axis]))
        grid = np.moveaxis(np.tensordot(resize, grid, (1, axis)), 0, axis)
        recovered = np.moveaxis(np.tensordot(np.linalg.pinv(resize) @ resize, recovered, (1, axis)), 0, axis)
    kept = min(float(np.square(recovered).sum()) / total, 1.0) if total else 1.0
    rows = np.concatenate([table[:prefix], grid.reshape(-1, table.shape[-1])])
    if "channels" in parameters:
        rows, share = mapped(rows, 1, parameters["channels"])
        kept *= share
    return rows.reshape(shape), kept


@lru_cache(maxsize=16)
def bicubic_resize(before: int, after: int) -> Array:
    """(after, before): Keys' cubic convolution, a = -0.5, half-pixel centres, antialiased where it shrinks,
    rows summing to 1.
    """
    scale = max(before / after, 1.0)
    centre = (np.arange(after) + 0.5) * before / after - 0.5
    distance = np.abs(centre[:, None] - np.arange(before)[None, :]) / scale
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return np.asarray(weight / weight.sum(1, keepdims=True))
