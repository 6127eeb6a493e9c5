"""How much of each cut of the source a linear map of an earlier one leaves unexplained, on held-out rows."""

from collections.abc import Mapping, Sequence

import numpy as np

from weightbridge.adapters.fit.cuts import Cut
from weightbridge.adapters.fit.directions import leading
from weightbridge.adapters.fit.grids import resized
from weightbridge.adapters.fit.layers import Sample, rows_at, sample
from weightbridge.adapters.fit.solve import solve
from weightbridge.adapters.fit.source_pass import SourcePass
from weightbridge.model.tensors import Array

ROWS, KNOWN, WANTED = 2000, 128, 64  # directions of the earlier cut, and of the later one
INPUT = -1
Unexplained = Mapping[tuple[int, int], float]  # by the places of the earlier cut, or INPUT, and the later one


def ladder(values: SourcePass, cuts: Sequence[Cut], x: Array, random: np.random.Generator) -> Unexplained:
    """values: asked for every cut once, in order. Earlier cuts are taken at the later one's grid."""
    spots = {cut.grid: sample(len(x), cut.grid, 1, random, ROWS) for cut in cuts}
    known = {(INPUT, grid): _patches(x, grid, at) for grid, at in spots.items()}
    found: dict[tuple[int, int], float] = {}
    for n, cut in enumerate(cuts):
        _, after = values.values(cut)
        at = spots[cut.grid]
        y = leading(rows_at(after, cut.grid, at), WANTED, random)
        for earlier in range(INPUT, n):
            found[earlier, n] = _left(known[earlier, cut.grid], y, at.held)
        for grid in {later.grid for later in cuts[n + 1 :]}:
            known[n, grid] = leading(rows_at(after, grid, spots[grid]), KNOWN, random)
    return found


def _left(x: Array, y: Array, held: Array) -> float:
    r2 = solve(x, y, held).r2
    return float(np.clip(1 - r2, 0.0, 1.0)) if np.isfinite(r2) else 1.0


def _patches(x: Array, grid: tuple[int, ...], at: Sample) -> Array:
    """Of the input, three places by three for each place of the grid."""
    if x.ndim != len(grid) + 2 or not grid:
        return rows_at(x, grid, at)
    fine = resized(x, tuple(3 * size for size in grid))
    shape = [number for size in grid for number in (size, 3)]
    split = fine.reshape(len(x), *shape, x.shape[-1])
    axes = (0, *range(1, 2 * len(grid), 2), *range(2, 2 * len(grid) + 1, 2), 2 * len(grid) + 1)
    return np.asarray(split.transpose(axes)[(at.items, *at.places)].reshape(len(at.items), -1))
