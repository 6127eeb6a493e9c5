"""Where a layer on the way to a cut leads: the layers that write the cut from it, and what they read."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from weightbridge.adapters.fit.cuts import LINEAR
from weightbridge.adapters.fit.layers import window_of
from weightbridge.adapters.fit.patches import Window
from weightbridge.formats.flow import Flow, readers
from weightbridge.model.tensors import Array

KEPT = frozenset({"elementwise", "pass", "scale", "batchnorm", "norm", "add", "concat", "other"})
MOST_OFFSETS = 5  # of an axis


@dataclass(frozen=True, slots=True)
class Reach:
    """What an output reads of a map along one axis: at place * stride + each of the offsets."""

    stride: int
    offsets: tuple[int, ...]

    def before(self, stride: int, offsets: Collection[int]) -> "Reach":
        """Of the map that another layer stands between, which reads it like this."""
        found = {mine * stride + its for mine in self.offsets for its in offsets}
        return Reach(self.stride * stride, tuple(sorted(found)))


@dataclass(frozen=True, slots=True)
class Lead:
    """The layers that write a cut from here, of one grid; reach: by axis, what they read of it."""

    layers: tuple[int, ...]
    reach: tuple[Reach, ...]

    @property
    def taps(self) -> int:
        return prod(len(axis.offsets) for axis in self.reach)

    def places(self, at: Sequence[Array], grid: Sequence[int]) -> Iterator[tuple[tuple[Array, ...], Array]]:
        """For each tap the places in the map, of this grid, and which of them are inside."""
        for tap in product(*(axis.offsets for axis in self.reach)):
            where = [
                place * axis.stride + offset for place, axis, offset in zip(at, self.reach, tap, strict=True)
            ]
            pairs = list(zip(where, grid, strict=True))
            inside = np.logical_and.reduce([(w >= 0) & (w < size) for w, size in pairs])
            yield tuple(np.clip(w, 0, size - 1) for w, size in pairs), inside


def lead(flow: Flow, layer: int, writers: Collection[int]) -> Lead | None:
    """None where what stands between does not keep to places, or is of several grids."""
    found = dict(_ahead(flow, layer, writers))
    if not found or len({flow.nodes[i].shape[:-1] for i in found}) > 1:
        return None
    merged = [_merged(axes) for axes in zip(*found.values(), strict=True)]
    reach = tuple(axis for axis in merged if axis is not None)
    return Lead(tuple(sorted(found)), reach) if len(reach) == len(merged) else None


def _merged(axes: Sequence[Reach]) -> Reach | None:
    """Of wide ones the middle."""
    strides = {axis.stride for axis in axes}
    offsets = sorted({offset for axis in axes for offset in axis.offsets})
    spare = max(len(offsets) - MOST_OFFSETS, 0)
    kept = offsets[spare // 2 : len(offsets) - (spare - spare // 2)]
    return Reach(strides.pop(), tuple(kept)) if len(strides) == 1 else None


def _ahead(flow: Flow, layer: int, writers: Collection[int]) -> Iterator[tuple[int, tuple[Reach, ...]]]:
    """By writer that reads of the layer in places, what it reads."""
    behind, last = readers(flow.nodes), max(writers, default=-1)
    reached = {layer: tuple(Reach(1, (0,)) for _ in flow.nodes[layer].shape[:-1])}
    for i in range(layer, last):
        if i in reached and (i not in writers or i == layer):
            _go_on(flow, i, behind[i], reached)
    yield from ((j, reached[j]) for j in sorted(reached) if j in writers and j != layer)


def _go_on(flow: Flow, i: int, behind: Sequence[int], reached: dict[int, tuple[Reach, ...]]) -> None:
    for j in behind:
        mine = _through(flow, i, j, reached[i])
        if mine is not None:
            reached.setdefault(j, mine)


def _through(flow: Flow, i: int, j: int, mine: tuple[Reach, ...]) -> tuple[Reach, ...] | None:
    """What an output of node j reads of the map by way of node i, where it reads in places."""
    before, node = flow.nodes[i], flow.nodes[j]
    if node.kind in KEPT or node.kind == "dense":
        return mine if node.shape[:-1] == before.shape[:-1] else None
    if node.kind not in LINEAR:
        return None
    seen = window_of(node, flow.weights(j), before.shape[:-1])
    return tuple(_behind(axis, seen, n) for n, axis in enumerate(mine))


def _behind(axis: Reach, seen: Window, n: int) -> Reach:
    offsets = [tap * seen.dilation[n] - seen.before[n] for tap in range(seen.taps[n])]
    return Reach(seen.strides[n], tuple(offsets)).before(axis.stride, axis.offsets)
