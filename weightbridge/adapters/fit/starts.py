"""Starts of the target that have nothing of the source, and see the same inputs as the fit."""

from collections.abc import Iterator, Sequence

from weightbridge.adapters.fit.cuts import LINEAR
from weightbridge.adapters.fit.engine import Fitting
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.slots import slots
from weightbridge.adapters.fit.snapshot import Weights, restore
from weightbridge.formats.flow import Flow
from weightbridge.model.tensors import Array

RANDOM, HEAD = "random, calibrated", "random, calibrated, head in closed form"


def random_starts(
    target: Flow, pairs: Sequence[Pair], x: Array, wanted: Array, fresh: Weights
) -> Iterator[str]:
    """The target set to one start after the other that has nothing of the source; yields what it is called.

    wanted: what the source's last cut says of x; a head is fitted to it where both have the same classes.
    """
    last = pairs[-1]
    restore(target, fresh)
    calibrate(target, last, x, wanted)
    yield RANDOM
    if last.target.shape == wanted.shape[1:]:
        found = slots(target.nodes, last.target, _before_last(pairs))
        heads = frozenset(target.nodes[slot.layer].name for slot in found if slot.layer is not None)
        restore(target, fresh)
        calibrate(target, last, x, wanted, heads)
        yield HEAD


def calibrate(
    target: Flow, last: Pair, x: Array, wanted: Array, fitted: frozenset[str] = frozenset()
) -> None:
    """BatchNorm's statistics set to what they see, and these layers fitted to what the source says."""
    kept = frozenset(node.name for node in target.nodes if node.kind in LINEAR or node.kind == "scale")
    Fitting(target, lambda _: (wanted, wanted), [last], x, kept - fitted).run()


def _before_last(pairs: Sequence[Pair]) -> int:
    return pairs[-2].target.node if len(pairs) > 1 else -1
