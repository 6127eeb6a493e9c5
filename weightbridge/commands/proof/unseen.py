"""Values that differ and that no output shows: with the source's in one layer the target is the same."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.running import Adjustable, Runner
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array
from weightbridge.plan import Plan
from weightbridge.transfer.execute import Ledger, values
from weightbridge.verify.compare import relative_error
from weightbridge.verify.floor import LEAST
from weightbridge.verify.values import Control, K

MOST = 16  # layers that are tried
Swaps = Mapping[str, list[tuple[Array, Array]]]  # by layer: a value of the target, and what the source gives


def substitutes(
    source: LayerGraph, target: LayerGraph, plan: Plan
) -> Callable[[Runner], tuple[Control, ...]]:
    """For each layer whose values differ: the target with the source's values in it, and no other change.

    Hidden units in another order are a difference that the next layer makes good: with the source's values in
    one of both the outputs differ. Where they do not, outputs say nothing about this layer's values.
    """

    def made(candidate: Runner) -> tuple[Control, ...]:
        if not isinstance(candidate, Adjustable):
            return ()
        swaps = _swaps(source, target, plan)
        return tuple(Control(layer, partial(_swapped, candidate, layer, swaps)) for layer in swaps)

    return made


def _swaps(source: LayerGraph, target: LayerGraph, plan: Plan) -> Swaps:
    found: dict[str, list[tuple[Array, Array]]] = {}
    for layer, own, value in _differing(source, target, plan):
        if layer in found or len(found) < MOST:
            found.setdefault(layer, []).append((own, value))
    return found


def _differing(source: LayerGraph, target: LayerGraph, plan: Plan) -> Iterator[tuple[str, Array, Array]]:
    """Beyond what rounding explains: layer, the target's value and the source's."""
    for tensor, value in values(plan, source, target, Ledger()):
        own = tensor.load()
        if own.dtype.kind != "f" or own.tobytes() == value.tobytes():
            continue
        wide = (np.asarray(array, np.float64) for array in (value, own))
        if relative_error(*wide) > K * LEAST:
            yield target.owner[tensor.name].name, own, value


def _swapped(candidate: Adjustable, layer: str, swaps: Swaps) -> Runner:
    """RunError where the runner keeps its values otherwise than the file, so that none can be found."""
    names, count = frozenset(candidate.stored), 0

    def change(name: str, array: Array) -> Array:
        nonlocal count
        value = _value(array, swaps[layer]) if name == layer or layer not in names else None
        count += value is not None
        return array if value is None else value.astype(array.dtype)

    runner = candidate.with_weights(change)
    if not count:
        raise RunError(f"the values of layer {layer!r} are not found in the model that runs")
    return runner


def _value(array: Array, pairs: Collection[tuple[Array, Array]]) -> Array | None:
    same = (value for own, value in pairs if own.shape == array.shape and np.array_equal(own, array))
    return next(same, None)
