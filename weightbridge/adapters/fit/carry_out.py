"""A fit carried out: the pairing of cuts chosen or given, every layer fitted, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weightbridge.adapters.fit.choose import Trial, tried
from weightbridge.adapters.fit.cuts import Cut, cuts
from weightbridge.adapters.fit.engine import Fitting, LayerFit
from weightbridge.adapters.fit.goals import Pair
from weightbridge.adapters.fit.source_pass import SourcePass
from weightbridge.boundary.options import Progress
from weightbridge.errors import RunError
from weightbridge.formats.flow import Flow
from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which source cut each target cut is to reproduce, and the ways that were tried, the best first.

    control: the score of the best start without the source, where ways were tried.
    """

    pairs: tuple[Pair, ...]
    trials: tuple[Trial, ...] = ()
    control: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """values: by tensor of the target. layers: in the order in which they were fitted."""

    values: dict[str, Array]
    layers: tuple[LayerFit, ...]


def choose(target: Flow, source: Flow, x: Array, kept: frozenset[str], progress: Progress) -> Chosen:
    """Every way tried on some inputs; the target is as before at the end."""
    found = tried(target, source, x, kept, progress)
    return Chosen(found.ways[found.trials[0].way], found.trials, found.control)


def as_told(target: Flow, source: Flow, names: Sequence[tuple[str, str]]) -> tuple[Pair, ...]:
    """The pairs of these (target, source) names. KeyError for a name that is no cut."""
    ours, theirs = ({cut.name: cut for cut in cuts(flow.nodes)} for flow in (target, source))
    pairs = [Pair(ours[mine], theirs[other]) for mine, other in names]
    return tuple(sorted(pairs, key=lambda pair: pair.target.node))


def carried_out(
    target: Flow, source: Flow, pairs: Sequence[Pair], x: Array, kept: frozenset[str], progress: Progress
) -> Result:
    """Sets the target's weights, and says which."""
    values_of = SourcePass(source, x, [pair.source for pair in pairs]).values
    fitting = Fitting(target, values_of, pairs, x, kept, progress)
    try:
        fitting.run()
    except FloatingPointError as error:
        message = f"{error} gives NaN or Inf for the calibration inputs"
        raise RunError(message, where=target.where, fix="look at these inputs and this layer") from error
    values: dict[str, Array] = {}
    for i, roles in fitting.roles.items():
        names, weights = target.names(i), target.weights(i)
        values |= {names[role]: np.asarray(weights[role]) for role in roles}
    return Result(values, tuple(fitting.layers))


def segments(flow: Flow, found: Sequence[Cut]) -> dict[int, tuple[str, ...]]:
    """By cut, the layers with weights between it and the one of these before it."""
    made: dict[int, tuple[str, ...]] = {}
    start = 0
    for node in sorted({cut.node for cut in found}):
        inside = flow.nodes[start : node + 1]
        made[node] = tuple(dict.fromkeys(n.name for n in inside if n.roles))
        start = node + 1
    return made
