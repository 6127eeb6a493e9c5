"""Layers one by one: each matched pair is fed the same inputs, whatever the two models around them take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weightbridge.errors import ModelError, RunError
from weightbridge.formats.running import ULPS, Divisible, Runner
from weightbridge.model.activations import Function
from weightbridge.model.tensors import Array
from weightbridge.verify.arithmetic import Build, moving, precision_of
from weightbridge.verify.compare import compare, relative_error
from weightbridge.verify.floor import LEAST, wide
from weightbridge.verify.pairing import BACK, TURNS, aligned, turned
from weightbridge.verify.session import fed, prepare
from weightbridge.verify.values import Comparison, Setup, rounded

CHUNK = 32  # layers whose inputs are in memory at once
OWN, RANDOM = "the source's own inputs", "random inputs"
FEWEST_AXES = 3  # of what can be turned: batch, space and channels
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Counterparts:
    """Two layers that are to compute the same.

    after_source, after_target: what follows on that side and is part of the layer on the other.
    """

    source: str
    target: str
    after_source: Function | None = None
    after_target: Function | None = None


@dataclass(frozen=True, slots=True)
class _Sides:
    """The source, the same in float64 where that can be had, and the target."""

    source: Divisible
    precise: Divisible | None
    target: Divisible
    seed: int

    @property
    def coarseness(self) -> float:
        """One unit in the last place of the coarsest dtype, where that is coarser than float32."""
        ulp = max(ULPS[precision_of(runner).coarsest] for runner in (self.source, self.target))
        return ulp if ulp > ULPS["float32"] else 0.0


def compare_alone(
    reference: Runner, candidate: Runner, pairs: Sequence[Counterparts], setup: Setup
) -> Iterator[Entry]:
    """An entry for each pair that takes the same inputs: those that the source gives it, and random ones.

    Nothing for a pair whose shapes, or ways of being called, do not allow it. RunError where one of the two
    models does not run at all.
    """
    if not (isinstance(reference, Divisible) and isinstance(candidate, Divisible)) or not pairs:
        return
    sides = _Sides(reference, _precise(setup.precise), candidate, setup.seed)
    feeds = _own_feeds(reference, setup), _own_feeds(candidate, setup)
    for i in range(0, len(pairs), CHUNK):
        yield from _chunk(sides, pairs[i : i + CHUNK], feeds)


def _precise(build: Build | None) -> Divisible | None:
    try:
        built = build() if build is not None else None
    except (RunError, ModelError):
        return None
    return built if isinstance(built, Divisible) else None


def _own_feeds(runner: Runner, setup: Setup) -> Mapping[str, Array]:
    """What a model is fed where it is run for itself. RunError where it cannot be."""
    session = prepare(runner, runner, replace(setup, samples=None, evidence="quick"))
    if isinstance(session, str):
        raise RunError(session)
    return fed(session.probes[0].feeds, session.inputs, runner, "reference")


def _chunk(
    sides: _Sides, pairs: Sequence[Counterparts], feeds: tuple[Mapping[str, Array], Mapping[str, Array]]
) -> Iterator[Entry]:
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    given = sides.source.given(feeds[0], sources)
    sides = replace(sides, precise=_shown(sides.precise, feeds[0], sources))
    taken = sides.target.given(feeds[1], targets)
    for pair in pairs:
        arrays = given.get(pair.source, ())
        if arrays and len(arrays) == len(taken.get(pair.target, ())):
            yield from _entries(sides, pair, arrays)


def _entries(sides: _Sides, pair: Counterparts, arrays: Sequence[Array]) -> Iterator[Entry]:
    """One entry, or none where nothing could be compared."""
    found = [comparison for comparison in _comparisons(sides, pair, arrays) if comparison is not None]
    if found:
        yield _entry(pair, found)


def _shown(precise: Divisible | None, feeds: Mapping[str, Array], layers: Sequence[str]) -> Divisible | None:
    """The source in float64, once it has been seen how it calls these; None where it does not run."""
    if precise is None:
        return None
    try:
        precise.given({spec.name: spec.typed(feeds[spec.name]) for spec in precise.inputs}, layers)
    except RunError:
        return None
    return precise


def _comparisons(sides: _Sides, pair: Counterparts, arrays: Sequence[Array]) -> Iterator[Comparison | None]:
    yield _compared(sides, pair, OWN, arrays)
    excited = _random(arrays, sides.seed)
    if excited is not None:
        yield _compared(sides, pair, RANDOM, excited)


def _random(arrays: Sequence[Array], seed: int) -> tuple[Array, ...] | None:
    """Normal numbers in place of all floating-point arrays; None where there are none."""
    if not any(array.dtype.kind == "f" for array in arrays):
        return None
    generator = np.random.default_rng([seed, 4])
    return tuple(
        generator.standard_normal(array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
        for array in arrays
    )


def _compared(sides: _Sides, pair: Counterparts, probe: str, arrays: Sequence[Array]) -> Comparison | None:
    """The nearest of all ways in which the axes may be turned; None where the target takes none."""
    try:
        plain = _after(sides.source.alone(pair.source, arrays), pair.after_source)
        expected, floor = _measured(sides, pair, arrays, plain)
    except RunError:
        return None
    answers = [answer for turn in TURNS for answer in _answers(sides, pair, arrays, expected, turn)]
    ulp = sides.coarseness
    compared = (compare(pair.target, probe, expected, answer, max(floor, ulp), ulp) for answer in answers)
    return min(compared, key=lambda c: c.ratio, default=None)


def _measured(
    sides: _Sides, pair: Counterparts, arrays: Sequence[Array], plain: Array
) -> tuple[Array, float]:
    """What the source's layer gives, and how far it is from that in other arithmetic."""
    exact = _exactly(sides.precise, pair, arrays)
    if exact is not None:
        return exact, max(LEAST, relative_error(wide(exact), wide(plain)))
    move = moving(sides.seed, ULPS["float32"])
    moved = [move(pair.source, array) if array.dtype.kind == "f" else array for array in arrays]
    other = _after(sides.source.alone(pair.source, moved), pair.after_source)
    return wide(plain), max(ULPS["float32"], relative_error(wide(plain), wide(other)))


def _exactly(precise: Divisible | None, pair: Counterparts, arrays: Sequence[Array]) -> Array | None:
    """In float64; None where that cannot be had."""
    doubled = [wide(array) if array.dtype.kind == "f" else array for array in arrays]
    try:
        return None if precise is None else _after(precise.alone(pair.source, doubled), pair.after_source)
    except RunError:
        return None


def _answers(
    sides: _Sides, pair: Counterparts, arrays: Sequence[Array], expected: Array, turn: Any
) -> Iterator[Array]:
    """What the target's layer gives, in the source's layout; nothing where it does not take these arrays."""
    turning = [turned(array, turn) for array in arrays]
    if turn != "same" and all(array.ndim < FEWEST_AXES for array in arrays):
        return
    try:
        got = _after(sides.target.alone(pair.target, turning), pair.after_target)
    except RunError:
        return
    layouts = (turned(got, BACK[turn]), got)
    shaped = (aligned(expected, array, "same") for array in layouts)
    yield from (array for array in shaped if array is not None)


def _after(array: Array, function: Function | None) -> Array:
    return array if function is None else np.asarray(function(wide(array)))


def _entry(pair: Counterparts, found: Sequence[Comparison]) -> Entry:
    """The worst of what was compared; what proves nothing counts only where nothing else does."""
    worst = max(found, key=lambda c: (c.is_different, c.status == "equal", c.ratio))
    return {
        "source": pair.source,
        "target": pair.target,
        "probe": worst.probe,
        "status": worst.status,
        "passed": worst.status == "equal",
        "ratio_local": rounded(worst.ratio),
        "nrmse": rounded(worst.nrmse),
        "floor": rounded(worst.floor),
        "limit": rounded(worst.limit),
        "max_abs": rounded(worst.max_abs),
    }
