"""One layer fitted: rows of what it reads, the least squares on what it should write, its weights by role."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import scipy

from weightbridge.adapters.fit.patches import Window, rows, window
from weightbridge.adapters.fit.solve import Solution, solve
from weightbridge.formats.flow import Node
from weightbridge.model.tensors import Array

LEAST_ROWS, ROWS_A_COLUMN = 4096, 10
WORK, MUCH = 1e9, 4e10  # products of one Gram matrix: for which more rows are taken, or fewer
RAISED = 1.0  # standard deviations above zero: most of a direction gets through an activation that cuts off
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


@dataclass(frozen=True, slots=True)
class Linear:
    """What a layer computes before its norm: weights (columns in, channels out) and a bias."""

    weights: Array
    bias: Array
    r2: float


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


def columns_of(node: Node, weights: Weights) -> int:
    """How many numbers one output channel reads."""
    if node.kind == "separable":
        return int(weights["pointwise_kernel"].shape[-2])
    if node.kind == "depthwise":
        return int(prod(weights["kernel"].shape[:-2]))
    return int(prod(weights["kernel"].shape[:-1]))


def read_rows(node: Node, weights: Weights, x: Array, at: Sample) -> Array:
    """(rows, taps, channels) that the layer reads there; of a separable one, what its second half reads."""
    if node.kind == "dense":
        return np.asarray(x[(at.items, *at.places)][:, None, :])
    first = weights["depthwise_kernel" if node.kind == "separable" else "kernel"]
    seen: Window = window(first.shape[:-2], node.settings, x.shape[1:-1])
    found = rows(x, seen, at.items, at.places)
    if node.kind != "separable":
        return found
    halved = np.einsum("rtc,tcm->rcm", found, first.reshape(seen.size, *first.shape[-2:]))
    return np.asarray(halved.reshape(len(found), 1, -1))


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
    node: Node, weights: Weights, x: Array, y: Array, held: Array, random: np.random.Generator
) -> Linear:
    """Directions of x that predict y best (reduced rank regression), each with variance 1."""
    groups, width = _groups(node, weights), _width(node, weights)
    parts = [
        _directions(a.reshape(len(a), -1), y, width // groups, held, random) for a in np.split(x, groups, -1)
    ]
    return Linear(
        np.concatenate([p.weights for p in parts], axis=-1),
        np.concatenate([p.bias for p in parts]),
        float(np.mean([p.r2 for p in parts])),
    )


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
    return Linear(weights, np.concatenate([p.bias for p in parts]), r2)


def _directions(x: Array, y: Array, count: int, held: Array, random: np.random.Generator) -> Linear:
    """Those of the prediction's covariance, then random ones of what x varies in."""
    best = solve(x, y / (y.std(0) + 1e-9), held)
    x = np.asarray(x, dtype="float64")
    centred = x - x.mean(0)
    found = centred @ best.weights
    _, vectors = scipy.linalg.eigh(found.T @ found / len(found))
    weights = best.weights @ vectors[:, ::-1][:, :count]
    more = count - weights.shape[1]
    if more > 0:
        weights = np.hstack([weights, random.standard_normal((x.shape[1], more))])
    spread = (centred @ weights).std(0)
    weights = weights / np.where(spread > 1e-9, spread, 1.0)
    return Linear(weights, RAISED - x.mean(0) @ weights, best.r2)
