"""The way to pair cuts that is kept: each carried out on some inputs, and judged on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from weightbridge.adapters.fit.cuts import LINEAR, Cut, cuts
from weightbridge.adapters.fit.engine import Fitting, Values
from weightbridge.adapters.fit.ladder import ladder
from weightbridge.adapters.fit.snapshot import unchanged
from weightbridge.adapters.fit.solve import r2, solve
from weightbridge.adapters.fit.source_pass import SourcePass
from weightbridge.adapters.fit.stages import WAYS, Pairing, maps_and_vectors, pairings
from weightbridge.adapters.fit.starts import random_starts
from weightbridge.boundary.options import Progress
from weightbridge.formats.flow import Flow, forward
from weightbridge.model.tensors import Array

SOME, FEW = 384, 96  # inputs of a trial, of which a third judges; of large images fewer
PLACES = 1 << 20  # of all inputs of a trial
MANY, ROWS = 40, 2048  # layers of a target from which on a trial takes no more rows for one of them


@dataclass(frozen=True, slots=True)
class Trial:
    """How well the source's logits are predicted on inputs that were not fitted."""

    way: str
    score: float


@dataclass(frozen=True, slots=True)
class Tried:
    """ways: all pairings. trials: the best first; of equal ones the one that stands first.

    control: the score of the best start that has nothing of the source.
    """

    ways: Mapping[str, Pairing]
    trials: tuple[Trial, ...]
    control: float


@dataclass(frozen=True, slots=True)
class _Inputs:
    """wanted: what the source's last cut says of x. judged: which of them are not fitted to."""

    x: Array
    wanted: Array
    judged: Array


def tried(target: Flow, source: Flow, x: Array, kept: frozenset[str], progress: Progress) -> Tried:
    """Every way carried out on some inputs. The source runs once for all of them."""
    some = x[: min(SOME, max(FEW, PLACES // prod(x.shape[1:-1])))]
    judged = np.arange(len(some)) % 3 == 2
    progress("looking at the source", 0, 0)
    ours, theirs = cuts(target.nodes), cuts(source.nodes)
    seen = SourcePass(source, some[~judged], theirs, (len(WAYS) + 1) * len(ours) + 2)
    ways = _ways(ours, theirs, seen, some[~judged])
    inputs = _Inputs(some, _wanted(source, theirs[-1], seen, some, judged), judged)
    trials = []
    for n, (way, pairs) in enumerate(ways.items()):
        say = _one_of(progress, way, n, len(ways))
        trials.append(Trial(way, _trial(target, seen.values, pairs, inputs, kept, say)))
    trials.sort(key=lambda trial: -trial.score)
    progress("trying: controls", len(ways), len(ways) + 1)
    return Tried(ways, tuple(trials), _control(target, ways[trials[0].way], inputs))


def _trial(
    target: Flow, values: Values, pairs: Pairing, inputs: _Inputs, kept: frozenset[str], progress: Progress
) -> float:
    most = ROWS if sum(node.kind in LINEAR for node in target.nodes) > MANY else 0
    with unchanged(target):
        try:
            Fitting(target, values, pairs, inputs.x[~inputs.judged], kept, progress).run(most)
            return _score(target, pairs, inputs)
        except FloatingPointError:
            return -np.inf


def _control(target: Flow, pairs: Pairing, inputs: _Inputs) -> float:
    """The score of the best start without the source."""
    fitted = ~inputs.judged
    with unchanged(target) as fresh:
        starts = random_starts(target, pairs, inputs.x[fitted], inputs.wanted[fitted], fresh)
        return max((_score(target, pairs, inputs) for _ in starts), default=-np.inf)


def _one_of(progress: Progress, way: str, n: int, ways: int) -> Progress:
    """Progress of one way among all, and the controls behind them, of which each is one part."""

    def say(stage: str, done: int, total: int) -> None:
        progress(f"trying: {way}, {stage.rpartition(': ')[2]}", n * total + done, (ways + 1) * total)

    return say


def _ways(ours: Sequence[Cut], theirs: Sequence[Cut], seen: SourcePass, x: Array) -> Mapping[str, Pairing]:
    """A source without a cut inside has one way."""
    maps, _ = maps_and_vectors(theirs[:-1])
    random = np.random.default_rng(0)
    unexplained = ladder(seen, maps, x, random) if len(maps) > 1 else {}
    return pairings(ours, theirs, unexplained)


def _wanted(source: Flow, last: Cut, seen: SourcePass, x: Array, judged: Array) -> Array:
    """What the source's last cut has before its activation, for all of x."""
    of_judged = forward(source, x[judged], last.before)
    known = seen.values(last)[0] if last.parts == (last.before,) else forward(source, x[~judged], last.before)
    wanted = np.empty((len(x), *of_judged.shape[1:]), dtype=of_judged.dtype)
    wanted[judged], wanted[~judged] = of_judged, known
    return wanted


def _score(target: Flow, pairs: Pairing, inputs: _Inputs) -> float:
    """Of logits where both have the same classes, else of a linear head on the last features."""
    x, wanted, judged = inputs.x, inputs.wanted, inputs.judged
    last = pairs[-1].target
    if last.shape == wanted.shape[1:]:
        found = forward(target, x[judged], last.before)
        return r2(wanted[judged].reshape(-1, wanted.shape[-1]), found.reshape(-1, wanted.shape[-1]))
    cut = pairs[-2].target if len(pairs) > 1 else last
    features = forward(target, x, cut.node)
    means = features.reshape(len(x), -1, features.shape[-1]).mean(1)
    flat = wanted.reshape(len(x), -1)
    return solve(means, flat, judged).r2
