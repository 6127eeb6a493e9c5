"""Sequential least squares: layer after layer of the target, on what the part before it really gives."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from weightbridge.adapters.fit.cuts import LINEAR, Cut, own_norm
from weightbridge.adapters.fit.directions import COLUMNS, Linear
from weightbridge.adapters.fit.goals import Goal, Goals, Pair
from weightbridge.adapters.fit.grids import resized
from weightbridge.adapters.fit.layers import (
    Sample,
    Task,
    columns_of,
    fitted,
    kernels,
    projections,
    read_rows,
    rows_at,
    sample,
    spread_of,
)
from weightbridge.adapters.fit.leads import lead
from weightbridge.adapters.fit.norms import norm_values
from weightbridge.adapters.fit.slots import Slot
from weightbridge.adapters.fit.spots import spots
from weightbridge.boundary.options import Progress, silent
from weightbridge.formats.flow import Flow, Held, readers
from weightbridge.model.tensors import Array

Values = Callable[[Cut], tuple[Array, Array]]  # of the source: before and after the cut's activation


@dataclass(frozen=True, slots=True)
class LayerFit:
    """What became of one layer.

    r2: on held-out rows, of what it was fitted to; None where it was not fitted. reason: why it was not, or
    what for. products: the multiplications that its least squares took.
    """

    layer: str
    cut: str
    r2: float | None
    reason: str = ""
    products: int = 0


class Fitting:
    """A target's flow under way. The target's weights are set as it goes.

    source: asked for each pair in turn. kept: layers whose weights stay. roles: by node, the weights that
    were set.
    """

    def __init__(
        self,
        target: Flow,
        source: Values,
        pairs: Sequence[Pair],
        x: Array,
        kept: frozenset[str] = frozenset(),
        progress: Progress = silent,
    ) -> None:
        self._flow, self._pairs, self._kept, self._progress = target, pairs, kept, progress
        self._source, self._most = source, 0
        self._readers = readers(target.nodes)
        self._held = Held(target, x, {})
        self._random = np.random.default_rng(0)
        self._goals = Goals(target, self._random)
        self._bias: dict[int, Array] = {}
        self.layers: list[LayerFit] = []
        self.roles: dict[int, tuple[str, ...]] = {}

    def run(self, most: int = 0) -> None:
        """Fits every layer. FloatingPointError, naming the layer, where what one gives is not finite.

        most: rows for one layer; 0 for as many as it needs.
        """
        self._most = most
        start = 0
        for pair in self._pairs:
            before, after = self._source(pair.source)
            after = resized(after, pair.target.grid)
            before = resized(before, pair.target.grid) if pair.source.is_activated else after
            goal = self._goals.goal(pair, (before, after), start - 1, self._held.get(start - 1))
            for i in range(start, pair.target.node + 1):
                self._node(i, goal)
            start = pair.target.node + 1
        for i in range(start, len(self._flow.nodes)):
            self._node(i, None)

    def _node(self, i: int, goal: Goal | None) -> None:
        node = self._flow.nodes[i]
        if node.name not in self._kept and not node.again:
            self._set(i, self._held.inputs(i), goal)
        if not np.isfinite(self._held.run(i)).all():
            raise FloatingPointError(node.name)

    def _set(self, i: int, arrays: Sequence[Array], goal: Goal | None) -> None:
        node = self._flow.nodes[i]
        if node.kind in LINEAR and goal is not None:
            self._progress(f"fitting: {node.name}", i, len(self._flow.nodes))
            self._fit(i, arrays[0], goal)
        elif node.kind == "batchnorm":
            self._assign(i, norm_values(node, arrays[0], self._bias.get(i)))
        elif node.kind == "opaque" and goal is not None:
            reason = "no least squares for this kind of layer: left as initialised"
            self.layers.append(LayerFit(node.name, goal.pair.source.name, None, reason))
        elif node.kind == "scale":
            self._assign(i, {"gamma": np.ones_like(self._flow.weights(i)["gamma"])})

    def _assign(self, i: int, values: Mapping[str, Array]) -> None:
        self._flow.assign(i, values)
        self.roles[i] = tuple(values)

    def _fit(self, i: int, x: Array, goal: Goal) -> None:
        node, cut = self._flow.nodes[i], goal.pair.source.name
        slot = next((s for s in goal.slots if s.layer == i), None)
        untouched = self._untouched(i, goal, slot)
        if untouched:
            self.layers.append(LayerFit(node.name, cut, None, f"{untouched}: left as initialised"))
            return
        found = self._solved(i, x, goal, slot)
        reason = _unfit(found, slot, is_output=goal.is_output)
        if not reason:
            self._take(i, found)
            reason = _of(found, slot)
        self.layers.append(LayerFit(node.name, cut, found.r2, reason, found.products))

    def _untouched(self, i: int, goal: Goal, slot: Slot | None) -> str:
        """Why the layer is not fitted at all; empty where it is."""
        if slot is None:
            return "a gate" if self._is_gate(i, goal) else ""
        ours, theirs = goal.pair.target.shape[-1], goal.pair.source.shape[-1]
        return f"it gives {ours} values and the source {theirs}" if goal.is_output and ours != theirs else ""

    def _solved(self, i: int, x: Array, goal: Goal, slot: Slot | None) -> Linear:
        node, weights = self._flow.nodes[i], self._flow.weights(i)
        found, read = self._written(i, x, goal, slot) if slot else self._on_the_way(i, x, goal)
        norm = self._norm_of(i)
        if norm is None or "gamma" in self._flow.nodes[norm].roles:
            return found
        spread = spread_of(node, weights, read, found.weights)  # the norm has no factor: the kernel has it
        return replace(found, weights=found.weights / spread, bias=found.bias / spread)

    def _written(self, i: int, x: Array, goal: Goal, slot: Slot) -> tuple[Linear, Array]:
        """Least squares on what the slot should hold, and rows of what the layer reads."""
        node, weights, norm = self._flow.nodes[i], self._flow.weights(i), self._norm_of(i)
        at = sample(len(x), node.shape[:-1], columns_of(node, weights), self._random, self._most)
        read, y = read_rows(node, weights, x, at.items, at.places), self._wanted(slot, goal, at)
        is_rectified = (
            slot.is_activated and not slot.sums and self._rectifies(norm if norm is not None else i)
        )
        is_centred = norm is not None or "bias" in weights
        return fitted(node, weights, Task(read, y, at.held, is_centred, is_rectified)), read

    def _on_the_way(self, i: int, x: Array, goal: Goal) -> tuple[Linear, Array]:
        """What predicts the slots behind the layer, by way of those that read it; all of the cut's else."""
        node, weights = self._flow.nodes[i], self._flow.weights(i)
        slots = {slot.layer: slot for slot in goal.slots if slot.layer is not None}
        leads = lead(self._flow, i, slots)
        grid = self._flow.nodes[leads.layers[0]].shape[:-1] if leads else node.shape[:-1]
        columns = columns_of(node, weights) * (leads.taps if leads else 1)
        at = sample(len(x), grid, min(columns, COLUMNS), self._random, self._most)
        if leads is None:
            y, taps = goal.inner_rows(grid, at), [(at.places, np.ones(len(at.items), dtype=bool))]
        else:
            y = np.hstack([self._wanted(slots[j], goal, at) for j in leads.layers])
            taps = list(leads.places(at.places, node.shape[:-1]))
        read = spots(at.items, at.held, taps, node.shape[:-1])
        return projections(node, weights, x, read, y, self._random)

    def _wanted(self, slot: Slot, goal: Goal, at: Sample) -> Array:
        """Rows of what the slot should hold, without the other terms of its sums."""
        assert slot.layer is not None
        grid = self._flow.nodes[slot.layer].shape[:-1]
        y = goal.rows(slot, grid, at)
        for add, place in slot.sums:
            y = y - sum(self._others(add, place, grid, at))
        return y

    def _others(self, add: int, place: int, grid: tuple[int, ...], at: Sample) -> Iterator[Array]:
        """Rows of a sum's other terms, as far as they are there."""
        for n, j in enumerate(self._flow.nodes[add].inputs):
            if n != place and j in self._held:
                yield rows_at(self._held[j], grid, at)

    def _take(self, i: int, found: Linear) -> None:
        node, weights, norm = self._flow.nodes[i], self._flow.weights(i), self._norm_of(i)
        values = kernels(node, weights, found.weights)
        if "bias" in weights:
            values["bias"] = np.zeros_like(found.bias) if norm is not None else found.bias
        if norm is not None:
            self._bias[norm] = found.bias
        self._assign(i, values)

    def _norm_of(self, i: int) -> int | None:
        behind = self._readers[i]
        return behind[0] if len(behind) == 1 and own_norm(self._flow.nodes, behind[0]) else None

    def _rectifies(self, i: int) -> bool:
        """Whether what follows is an activation that is zero below zero."""
        behind = self._readers[i]
        if len(behind) != 1 or self._flow.nodes[behind[0]].kind != "elementwise":
            return False
        if len(self._flow.nodes[behind[0]].inputs) != 1:
            return False
        probe = np.full((1, *self._flow.nodes[i].shape), -1.0, dtype="float32")
        return not self._flow.run(behind[0], [probe]).any()

    def _is_gate(self, i: int, goal: Goal) -> bool:
        """Whether what it reads has lost the grid that the cut still has."""
        here = self._flow.nodes[self._flow.nodes[i].inputs[0]].shape
        return goal.pair.target.places > 1 and int(np.prod(here[:-1], dtype=int)) == 1


def _unfit(found: Linear, slot: Slot | None, *, is_output: bool) -> str:
    """Why a solution is not taken.

    In a sum or an output a layer as it was would do harm: the solution is next to the mean, which does none.
    """
    if not np.isfinite(found.weights).all() or not np.isfinite(found.bias).all():
        return "no finite solution: left as initialised"
    is_harmless = slot is None or slot.sums or is_output
    return "" if is_harmless or found.r2 >= 0 else "predicts less than the mean: left as initialised"


def _of(found: Linear, slot: Slot | None) -> str:
    if slot is None:
        return "on the way"
    return "" if found.r2 >= 0 else "predicts no more than the mean"
