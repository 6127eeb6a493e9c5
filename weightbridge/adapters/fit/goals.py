"""What a cut of the target should hold: the source's features there, channel by channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from weightbridge.adapters.fit.channels import chosen, shared_out
from weightbridge.adapters.fit.cuts import Cut
from weightbridge.adapters.fit.layers import Sample, rows_at, sample
from weightbridge.adapters.fit.slots import Slot, slots
from weightbridge.adapters.fit.solve import solve
from weightbridge.formats.flow import Flow
from weightbridge.model.tensors import Array

CHANNEL_ROWS = 4000


@dataclass(frozen=True, slots=True)
class Pair:
    """A target cut and the source cut that it is to reproduce."""

    target: Cut
    source: Cut


@dataclass(frozen=True, slots=True)
class Goal:
    """The source's values before and after its activation, on the cut's grid.

    order: by the cut's channels, the source's. slots: which layers write them. is_output: what is wanted are
    logits then, whatever activation stands behind them on either side.
    """

    pair: Pair
    before: Array
    after: Array
    order: Array
    slots: tuple[Slot, ...]
    is_output: bool = False

    def rows(self, slot: Slot, grid: tuple[int, ...], at: Sample) -> Array:
        """What the slot's channels should be there, before the target's activation where it has one."""
        order = self.order[slot.start : slot.start + slot.width]
        if not (self.is_output or slot.is_activated):
            return rows_at(self.after, grid, at, order)
        y = rows_at(self.before, grid, at, order)
        if self.is_output or self.pair.source.is_activated:
            return y
        return np.asarray(y - y.mean(0) + y.std(0))  # raised, so that little of it is lost below zero

    def inner_rows(self, grid: tuple[int, ...], at: Sample) -> Array:
        """What layers on the way to the cut should tell of."""
        return rows_at(self.before, grid, at, self.order)


class Goals:
    """Goals one after the other; cuts of one source cut and width share their channels."""

    def __init__(self, target: Flow, random: np.random.Generator) -> None:
        self._flow, self._random = target, random
        self._orders: dict[tuple[int, int], Array] = {}

    def goal(self, pair: Pair, values: tuple[Array, Array], entry: int, x: Array | None) -> Goal:
        """values: of the source's cut, on this grid. entry: where the segment starts, x: its value"""
        found = slots(self._flow.nodes, pair.target, entry)
        is_output = pair.target.node == len(self._flow.nodes) - 1
        return Goal(pair, *values, self._order(pair, values[0], found, x), found, is_output)

    def _order(self, pair: Pair, y: Array, found: Sequence[Slot], x: Array | None) -> Array:
        width = pair.target.shape[-1]
        if pair.target.node == len(self._flow.nodes) - 1:
            return np.arange(pair.source.shape[-1])  # classes
        key = (pair.source.node, width)
        is_joined = len({slot.start for slot in found}) > 1
        if key in self._orders and not is_joined:
            return self._orders[key]
        at = sample(len(y), pair.target.grid, 1, self._random, CHANNEL_ROWS)
        rows = y[(at.items, *at.places)]
        self._orders[key] = (
            self._joined(rows, found, _beside(x, at, pair)) if is_joined else chosen(rows, width)
        )
        return self._orders[key]

    def _joined(self, y: Array, found: Sequence[Slot], x: Array | None) -> Array:
        """For branches side by side; what passes through keeps its channels, and is not written again."""
        order = np.zeros(max(slot.start + slot.width for slot in found), dtype=int)
        written = [slot for slot in found if slot.layer is not None]
        picked = chosen(y, sum(slot.width for slot in written), x if len(written) < len(found) else None)
        ease = np.zeros(len(picked))
        if x is not None:
            ease = solve(x, y[:, picked], np.arange(len(x)) % 5 == 4).each
        reach = [_reach(self._flow, slot.layer) for slot in written if slot.layer is not None]
        shares = shared_out(picked, ease, [slot.width for slot in written], reach)
        for slot, share in zip(written, shares, strict=True):
            order[slot.start : slot.start + slot.width] = share
        return order


def _beside(x: Array | None, at: Sample, pair: Pair) -> Array | None:
    """What the segment reads at the nearest places of its own grid."""
    if x is None or x.ndim != len(pair.target.grid) + 2:
        return None
    ratios = zip(at.places, x.shape[1:-1], pair.target.grid, strict=True)
    places = [
        np.minimum((place + 0.5) * ours / theirs, ours - 1).astype(int) for place, ours, theirs in ratios
    ]
    return np.asarray(x[(at.items, *places)])


def _reach(flow: Flow, layer: int) -> int:
    """The taps of the widest way through the branch that ends with the layer, to the first merge above."""
    taps, i = 0, layer
    while len(flow.nodes[i].inputs) == 1 and flow.nodes[i].kind not in ("concat", "add", "input"):
        taps += _taps(flow, i)
        i = flow.nodes[i].inputs[0]
    return taps


def _taps(flow: Flow, i: int) -> int:
    weights: Mapping[str, Array] = flow.weights(i) if flow.nodes[i].roles else {}
    kernel = weights.get("depthwise_kernel", weights.get("kernel"))
    return prod(kernel.shape[:-2]) - 1 if kernel is not None and kernel.ndim > 2 else 0
