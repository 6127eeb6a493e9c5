"""The noise floor: how far the reference is from itself in other arithmetic, measured for each array."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weightbridge.model.tensors import Array
from weightbridge.verify.compare import relative_error
from weightbridge.verify.values import Probe

LEAST = 2.0**-24  # half a unit in the last place of float32
PERTURBATIONS = 8

Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference gives on one probe, in the best arithmetic at hand.

    floors: the relative noise of each array. finite: the arrays that are finite in every arithmetic; only
    there has the candidate anything to agree with.
    """

    probe: Probe
    values: Mapping[str, Array]
    floors: Mapping[str, float]
    finite: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sources:
    """The runs that a floor is measured from.

    precise: the reference in float64. other: (float64, float32) of the candidate, where it has none.
    """

    reference: Run
    precise: Run | None = None
    other: tuple[Run, Run] | None = None

    @property
    def description(self) -> str:
        """Where the tolerance comes from, for the report."""
        if self.precise is not None:
            return "float64 against float32 of the source"
        perturbed = f"inputs perturbed by one unit in the last place, {PERTURBATIONS} times"
        return perturbed if self.other is None else f"{perturbed}, and float64 against float32 of the target"


def expect(sources: Sources, probe: Probe, seed: int) -> Expected:
    """floor = max(NRMSE of the float64 run against the float32 run, the reference's own spread, 2^-24)."""
    first, second = sources.reference(probe.feeds), sources.reference(probe.feeds)
    exact = sources.precise(probe.feeds) if sources.precise else first
    noisy = [second] if sources.precise else [second, *_perturbed(sources.reference, probe, seed)]
    finite = frozenset(name for name in first if _is_finite(name, (first, second, exact)))
    floors = {name: _floor(name, exact, first, noisy) for name in finite}
    if sources.other is not None and sources.precise is None:
        floors = _raised(floors, sources.other, probe)
    values = {name: _wide(array) for name, array in exact.items()}
    return Expected(probe, values, floors, finite)


def _is_finite(name: str, runs: Sequence[Mapping[str, Array]]) -> bool:
    return all(name in run and bool(np.isfinite(run[name]).all()) for run in runs)


def _floor(
    name: str,
    exact: Mapping[str, Array],
    first: Mapping[str, Array],
    noisy: Sequence[Mapping[str, Array]],
) -> float:
    precision = relative_error(_wide(exact[name]), _wide(first[name]))
    spreads = (_spread(first, run, name) for run in noisy)
    return max(LEAST, precision, *spreads)


def _perturbed(run: Run, probe: Probe, seed: int) -> list[Mapping[str, Array]]:
    """Eight runs with every floating-point input moved by one unit in the last place, up or down."""
    generator = np.random.default_rng([seed, 1])
    return [
        run({name: _moved(array, generator) for name, array in probe.feeds.items()})
        for _ in range(PERTURBATIONS)
    ]


def _moved(array: Array, generator: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    is_down = generator.random(array.shape) < 0.5
    directions = np.where(is_down, -np.inf, np.inf).astype(array.dtype)
    return np.where(array == 0, array, np.nextafter(array, directions))


def _spread(first: Mapping[str, Array], other: Mapping[str, Array], name: str) -> float:
    """How far another run is; a run that left the finite numbers says nothing about the noise."""
    if name not in other:
        return 0.0
    spread = relative_error(_wide(first[name]), _wide(other[name]))
    return spread if np.isfinite(spread) else 0.0


def _raised(floors: Mapping[str, float], other: tuple[Run, Run], probe: Probe) -> dict[str, float]:
    exact, rough = other[0](probe.feeds), other[1](probe.feeds)
    spreads = {name: _spread(exact, rough, name) for name in floors if name in exact}
    return {name: max(floor, spreads.get(name, 0.0)) for name, floor in floors.items()}


def _wide(array: Array) -> Array:
    return np.asarray(array, np.float64)
