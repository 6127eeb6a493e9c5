"""The noise floor: how far the reference is from itself in other arithmetic, measured for each array."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from weightbridge.formats.running import ULPS, Change
from weightbridge.model.tensors import Array
from weightbridge.verify.arithmetic import moving
from weightbridge.verify.compare import compare, limit_of, relative_error
from weightbridge.verify.pairing import in_shape
from weightbridge.verify.values import Comparison, Probe

LEAST = 2.0**-24  # half a unit in the last place of float32

Result = Mapping[str, Array]
Run = Callable[[Mapping[str, Array]], Result]
BuildRun = Callable[[], Run]
Spreads = Mapping[str, float]  # by the array's name
Place = Callable[[Array, Array], Array | None]  # the candidate's array in the shape of the reference's


@dataclass(frozen=True, slots=True)
class Own:
    """What of an array's error is the candidate's own rounding.

    noise: its float32 run against its float64 run. floor: that of the reference alone. apart: the float64
    runs of both, in these floors; None where the reference has no such run.
    """

    noise: float
    floor: float
    apart: float | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference gives on one probe, in the best arithmetic at hand.

    floors: the relative noise of each array; coarse: the noise with weights rounded as the target stores
    them.
    finite: the arrays that are finite in every arithmetic; only there has the candidate anything to agree
    with. ulp: of the coarsest dtype in it, which bounds what a check can notice.
    is_exact: whether the values are those of a float64 run. own: what the candidate rounds itself, where that
    was measured.
    """

    probe: Probe
    values: Mapping[str, Array]
    floors: Mapping[str, float]
    finite: frozenset[str]
    coarse: Mapping[str, float] = field(default_factory=dict)
    ulp: float = 0.0
    is_exact: bool = False
    own: Mapping[str, Own] = field(default_factory=dict)

    def compared(self, name: str, got: Array) -> Comparison:
        """Against the lower floor; if that fails, against that of the weights as the target rounds them."""
        comparison = self._compared(name, got)
        own = self.own.get(name)
        if own is None or own.apart is None:
            return comparison
        return replace(comparison, source_floor=own.floor, target_noise=own.noise, in_float64=own.apart)

    def _compared(self, name: str, got: Array) -> Comparison:
        reference, probe = self.values[name], self.probe.name
        comparison = compare(name, probe, reference, got, self.floors[name], self.ulp)
        coarse = self.coarse.get(name, 0.0)
        if comparison.status != "differs" or coarse <= self.floors[name]:
            return comparison
        return compare(name, probe, reference, got, coarse, self.ulp)


@dataclass(frozen=True, slots=True)
class Sources:
    """The runs that a floor is measured from.

    precise: the reference in float64. other: (float64, float32) of the candidate. moved, coarsely: the
    reference with its weights moved by one unit in the last place of `ulp` or
    `coarse_ulp`. place: how an array of the candidate is laid beside the reference's. is_exact: whether there
    is, or was, a float64 run of the reference.
    """

    reference: Run
    precise: Run | None = None
    other: tuple[Run, Run] | None = None
    moved: Sequence[BuildRun] = ()
    coarsely: Sequence[BuildRun] = ()
    ulp: float = ULPS["float32"]
    coarse_ulp: float = 0.0
    place: Place = in_shape
    is_exact: bool = False

    @property
    def description(self) -> str:
        """Where the tolerance comes from, for the report."""
        if self.is_exact:
            both = " and of the target" if self.other is not None else ""
            return f"float64 against float32 of the source{both}"
        moved = f"inputs and weights perturbed by one unit in the last place, {len(self.moved)} times"
        said = [moved] if self.moved else []
        said += ["float64 against float32 of the target"] if self.other is not None else []
        said += [f"weights rounded by up to {self.coarse_ulp / 2:.1g}"] if self.coarsely else []
        return ", and ".join(said) or "half a unit in the last place"


def expect(sources: Sources, probes: Sequence[Probe], seed: int) -> tuple[Expected, ...]:
    """floor = max(NRMSE of the float64 run against the float32 run, the reference's own spread, 2^-24).

    Without a float64 run, its spread where inputs and weights move by one unit in the last place.
    """
    firsts = [sources.reference(probe.feeds) for probe in probes]
    again = _again(sources.reference, firsts, probes)
    exact = [sources.precise(p.feeds) for p in probes] if sources.precise else firsts
    noise = _spreads(sources.moved, sources.ulp, firsts, probes, seed)
    coarse = _spreads(sources.coarsely, sources.coarse_ulp, firsts, probes, seed)
    runs = zip(firsts, again, exact, strict=True)
    spreads = zip(noise, coarse, strict=True)
    return tuple(
        _expected(sources, probe, run, spread)
        for probe, run, spread in zip(probes, runs, spreads, strict=True)
    )


def _expected(
    sources: Sources,
    probe: Probe,
    runs: tuple[Result, Result, Result],
    spreads: tuple[Spreads, Spreads],
) -> Expected:
    """runs: the first, the second and the exact one. spreads: by one ulp of the reference, and coarser."""
    (first, again, exact), (noise, coarse) = runs, spreads
    finite = frozenset(name for name in first if _is_finite(name, (first, again, exact)))
    own = {name: _precision(exact[name], first[name], again[name]) for name in finite}
    floors = {name: max(LEAST, own[name], noise.get(name, 0.0)) for name in finite}
    values = {name: wide(array) for name, array in exact.items()}
    is_exact = sources.precise is not None
    found = Expected(probe, values, floors, finite, coarse, sources.coarse_ulp, is_exact)
    return found if sources.other is None else with_own_noise(found, sources.other, sources.place)


def with_noise_of(expected: Sequence[Expected], other: tuple[Run, Run]) -> tuple[Expected, ...]:
    """Floors that are no lower than what two runs of the same model are apart: one with its weights moved, or
    with its work cut otherwise.
    """
    return tuple(replace(one, floors=_raised(one.floors, other, one.probe)) for one in expected)


def with_own_noise(one: Expected, other: tuple[Run, Run], place: Place = in_shape) -> Expected:
    """Floors no lower than what the candidate rounds itself: its float64 run against its float32 run.

    A sum of ten thousand products rounds ten times as much in one order as in another, and neither is wrong.
    Where the reference has a float64 run too, the two must agree by the floors of the reference alone: the
    noise of the candidate hides no fault.
    """
    exact, rough = (run(one.probe.feeds) for run in other)
    names = [name for name in one.floors if name in exact]
    own = {
        name: Own(_spread(exact, rough, name), one.floors[name], _apart(one, name, exact[name], place))
        for name in names
    }
    floors = {
        name: max(one.floors[name], found.noise)
        for name, found in own.items()
        if found.apart is None or found.apart <= limit_of(one.values[name].size)
    }
    return replace(one, floors={**one.floors, **floors}, own=own)


def _apart(one: Expected, name: str, exact: Array, place: Place) -> float | None:
    """The float64 runs of both sides, in floors of the reference."""
    if not one.is_exact:
        return None
    array = place(one.values[name], wide(exact))
    return inf if array is None else relative_error(one.values[name], array) / one.floors[name]


def wide(array: Array) -> Array:
    return np.asarray(array, np.float64)


def _again(run: Run, firsts: Sequence[Result], probes: Sequence[Probe]) -> Sequence[Result]:
    """A second run of the first probe; of all where that differs, since the reference then has noise."""
    second = run(probes[0].feeds)
    is_steady = all(np.array_equal(firsts[0][name], array, equal_nan=True) for name, array in second.items())
    if is_steady:
        return (second, *firsts[1:])
    return (second, *(run(probe.feeds) for probe in probes[1:]))


def _is_finite(name: str, runs: Sequence[Result]) -> bool:
    return all(name in run and bool(np.isfinite(wide(run[name])).all()) for run in runs)


def _precision(exact: Array, first: Array, again: Array) -> float:
    spread = relative_error(wide(first), wide(again))
    return max(relative_error(wide(exact), wide(first)), spread if np.isfinite(spread) else 0.0)


def _spreads(
    builds: Sequence[BuildRun], ulp: float, firsts: Sequence[Result], probes: Sequence[Probe], seed: int
) -> list[Spreads]:
    """The largest distance of any perturbed run, for each probe and array."""
    found: list[dict[str, float]] = [{} for _ in probes]
    for i, build in enumerate(builds):
        run, move = build(), moving(seed + i, ulp)
        for probe, first, spreads in zip(probes, firsts, found, strict=True):
            result = run(_moved(probe.feeds, move))
            spreads |= {name: max(spreads.get(name, 0.0), _spread(first, result, name)) for name in first}
    return [*found]


def _moved(feeds: Mapping[str, Array], move: Change) -> dict[str, Array]:
    """Floating-point inputs moved; integers and text stay."""
    return {name: move(name, array) if array.dtype.kind == "f" else array for name, array in feeds.items()}


def _spread(first: Result, other: Result, name: str) -> float:
    """How far another run is; a run that left the finite numbers says nothing about the noise."""
    if name not in other or other[name].shape != first[name].shape:
        return 0.0
    spread = relative_error(wide(first[name]), wide(other[name]))
    return spread if np.isfinite(spread) else 0.0


def _raised(floors: Mapping[str, float], other: tuple[Run, Run], probe: Probe) -> dict[str, float]:
    exact, rough = other[0](probe.feeds), other[1](probe.feeds)
    spreads = {name: _spread(exact, rough, name) for name in floors if name in exact}
    return {name: max(floor, spreads.get(name, 0.0)) for name, floor in floors.items()}
