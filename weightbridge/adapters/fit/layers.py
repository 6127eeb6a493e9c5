"""One layer fitted: rows of what it reads, the least squares on what it should write, its weights by role."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from weightbridge.adapters.fit.directions import COLUMNS, Linear, Space, leading
from weightbridge.adapters.fit.filters import filters
from weightbridge.adapters.fit.grids import resized
from weightbridge.adapters.fit.patches import Window, rows, window
from weightbridge.adapters.fit.solve import Solution, solve
from weightbridge.adapters.fit.spots import Spots
from weightbridge.formats.flow import Node
from weightbridge.model.tensors import Array

LEAST_ROWS, ROWS_A_COLUMN = 4096, 10
WORK, MUCH = 1e9, 4e10  # products of one Gram matrix: for which more rows are taken, or fewer
DIRECTIONS = 256  # of what is to be predicted
Weights = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some places of a layer's output: which items, where in the grid, and which rows are held out."""

    items: Array
    places: tuple[Array, ...]
    held: Array


@dataclass(frozen=True, slots=True)
class Task:
    """Rows of what a layer reads (rows, taps, channels) and should write; which are held out.

    is_centred: whether it can add a bias. is_rectified: whether what is below zero is cut off behind it.
    """

    x: Array
    y: Array
    held: Array
    is_centred: bool
    is_rectified: bool


def sample(
    count: int, grid: tuple[int, ...], columns: int, random: np.random.Generator, most: int = 0
) -> Sample:
    """At most ten rows a column, or `most` rows; every fifth item is held out."""
    total = count * prod(grid)
    most = most or int(max(LEAST_ROWS, WORK / columns**2, min(ROWS_A_COLUMN * columns, MUCH / columns**2)))
    chosen = np.arange(total) if total <= most else np.sort(random.choice(total, most, replace=False))
    items, *places = np.unravel_index(chosen, (count, *grid))
    held = items % 5 == 4
    if held.all() or not held.any():
        held = np.arange(len(items)) % 5 == 4
    return Sample(items, tuple(places), held)


def rows_at(y: Array, grid: tuple[int, ...], at: Sample, channels: Array | None = None) -> Array:
    """The values at those places of this grid, in float64; of these channels."""
    if y.shape[1:-1] == grid:
        y = y[(at.items, *at.places)]
        return np.asarray((y if channels is None else y[:, channels]).astype("float64"))
    y = resized(y if channels is None else y[..., channels], grid)
    return np.asarray(y[(at.items, *at.places)].astype("float64"))


def columns_of(node: Node, weights: Weights) -> int:
    """How many numbers one regression reads."""
    if node.kind == "separable":
        return int(weights["pointwise_kernel"].shape[-2])
    if node.kind == "depthwise":
        return min(int(prod(weights["kernel"].shape[:-1])), COLUMNS)  # of all channels' filters together
    return int(prod(weights["kernel"].shape[:-1]))


def read_rows(node: Node, weights: Weights, x: Array, items: Array, places: tuple[Array, ...]) -> Array:
    """(rows, taps, channels) that the layer reads there; of a separable one, what its second half reads."""
    if node.kind == "dense":
        return np.asarray(x[(items, *places)][:, None, :])
    seen = window_of(node, weights, x.shape[1:-1])
    found = rows(x, seen, items, places)
    if node.kind != "separable":
        return found
    first = weights["depthwise_kernel"]
    halved = np.einsum("rtc,tcm->rcm", found, first.reshape(seen.size, *first.shape[-2:]))
    return np.asarray(halved.reshape(len(found), 1, -1))


def window_of(node: Node, weights: Weights, grid: tuple[int, ...]) -> Window:
    """What an output of a kernel reads of a map of this grid; of a separable one, its first half."""
    kernel = weights["depthwise_kernel" if node.kind == "separable" else "kernel"]
    return window(kernel.shape[:-2], node.settings, grid)


def fitted(node: Node, weights: Weights, task: Task) -> Linear:
    """Least squares, group by group."""
    groups = _groups(node, weights)
    how = {"is_centred": task.is_centred, "is_rectified": task.is_rectified}
    parts = [
        solve(a.reshape(len(a), -1), b, task.held, **how)
        for a, b in zip(np.split(task.x, groups, axis=-1), np.split(task.y, groups, axis=-1), strict=True)
    ]
    return _joined(parts, task.y[task.held])


def projections(
    node: Node, weights: Weights, x: Array, at: Spots, y: Array, random: np.random.Generator
) -> tuple[Linear, Array]:
    """Directions of what the layer reads that predict y best, each with variance 1; and rows of that.

    at: the places that each row of y is written from.
    """
    groups, width = _groups(node, weights), _width(node, weights)
    middle = read_rows(node, weights, x, *at.middle)
    if node.kind == "depthwise":
        return filters(middle, y, width // groups, at.held, random), middle
    wanted = leading(y / (y.std(0) + 1e-9), DIRECTIONS, random)
    spaces = [Space(part, at.taps, random) for part in _parts(middle, groups)]
    inner = [at.beside(values) for values in _seen(spaces, node, weights, x, at)]
    pairs = zip(spaces, inner, strict=True)
    parts = [space.directions(values, wanted, width // groups, at.held, random) for space, values in pairs]
    found = Linear(
        np.concatenate([p.weights for p in parts], axis=-1),
        np.concatenate([p.bias for p in parts]),
        float(np.mean([p.r2 for p in parts])),
        sum(p.products for p in parts),
    )
    return found, middle


def _seen(spaces: Sequence[Space], node: Node, weights: Weights, x: Array, at: Spots) -> Iterator[Array]:
    """By group, all places in its directions."""
    seen: list[list[Array]] = [[] for _ in spaces]
    for items, places in at.parts():
        read = _parts(read_rows(node, weights, x, items, places), len(spaces))
        for values, space, part in zip(seen, spaces, read, strict=True):
            values.append(space.seen(part))
    yield from map(np.concatenate, seen)


def _parts(x: Array, groups: int) -> list[Array]:
    return [part.reshape(len(x), -1) for part in np.split(x, groups, axis=-1)]


def spread_of(node: Node, weights: Weights, x: Array, found: Array) -> Array:
    """The standard deviation of what these weights give, by channel; 1 where they give a constant."""
    groups = _groups(node, weights)
    parts = zip(np.split(x, groups, -1), np.split(found, groups, -1), strict=True)
    spread = np.concatenate([(a.reshape(len(a), -1) @ w).std(0) for a, w in parts])
    return np.where(spread > 1e-9, spread, 1.0)


def kernels(node: Node, weights: Weights, found: Array) -> dict[str, Array]:
    """The kernel of the layer's own shape, from (columns, channels out)."""
    role = "pointwise_kernel" if node.kind == "separable" else "kernel"
    return {role: found.reshape(weights[role].shape)}


def _groups(node: Node, weights: Weights) -> int:
    if node.kind == "depthwise":
        return int(weights["kernel"].shape[-2])
    return int(node.settings.get("groups") or 1) if node.kind == "conv" else 1


def _width(node: Node, weights: Weights) -> int:
    kernel = weights["pointwise_kernel" if node.kind == "separable" else "kernel"]
    return int(kernel.shape[-2] * kernel.shape[-1] if node.kind == "depthwise" else kernel.shape[-1])


def _joined(parts: list[Solution], held: Array) -> Linear:
    weights = np.concatenate([p.weights for p in parts], axis=-1)
    each = np.concatenate([p.each for p in parts])
    spread = ((held - held.mean(0)) ** 2).sum(0)
    r2 = float((each * spread).sum() / max(spread.sum(), 1e-30))
    return Linear(weights, np.concatenate([p.bias for p in parts]), r2, sum(p.products for p in parts))
