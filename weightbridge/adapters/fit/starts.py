"""Starts of the target that have nothing of the source, and see the same inputs as the fit."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from weightbridge.adapters.fit.cuts import LINEAR
from weightbridge.adapters.fit.engine import Fitting
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.slots import slots
from weightbridge.adapters.fit.snapshot import Weights, restore, snapshot
from weightbridge.formats.flow import Flow
from weightbridge.model.tensors import Array

RANDOM, HEAD = "random, calibrated", "random, calibrated, head in closed form"


def random_starts(
    target: Flow, pairs: Sequence[Pair], x: Array, wanted: Array, fresh: Weights
) -> Iterator[str]:
    """The target set to one start after the other that has nothing of the source; yields what it is called.

    wanted: what the source's last cut says of x; a head is fitted to it where both have the same classes.
    A target that gives NaN or Inf as it is has no such start.
    """
    with suppress(FloatingPointError):
        yield from _starts(target, pairs, x, wanted, fresh)


def _starts(target: Flow, pairs: Sequence[Pair], x: Array, wanted: Array, fresh: Weights) -> Iterator[str]:
    last = pairs[-1]
    heads = _heads(target, pairs) if last.target.shape == wanted.shape[1:] else []
    restore(target, fresh)
    calibrate(target, last, x, wanted, frozenset(target.nodes[i].name for i in heads))
    first = min(heads, default=len(target.nodes))
    end = {i: values for i, values in snapshot(target).items() if i >= first}
    restore(target, {i: fresh[i] for i in end})
    if any(target.nodes[i].kind == "batchnorm" for i in end):
        calibrate(target, last, x, wanted)  # the norms see another thing without the heads
    yield RANDOM
    if heads:
        restore(target, end)
        yield HEAD


def calibrate(
    target: Flow, last: Pair, x: Array, wanted: Array, fitted: frozenset[str] = frozenset()
) -> None:
    """BatchNorm's statistics set to what they see, and these layers fitted to what the source says."""
    kept = frozenset(node.name for node in target.nodes if node.kind in LINEAR or node.kind == "scale")
    Fitting(target, lambda _: (wanted, wanted), [last], x, kept - fitted).run()


def _heads(target: Flow, pairs: Sequence[Pair]) -> list[int]:
    """The layers that write the output."""
    before = pairs[-2].target.node if len(pairs) > 1 else -1
    return [slot.layer for slot in slots(target.nodes, pairs[-1].target, before) if slot.layer is not None]
