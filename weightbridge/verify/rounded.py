"""A quantised model against one of floats that is made to round as the quantised one does.

Its outputs are not those of the floats, so a noise floor of floats says nothing. Measured is what rounding
itself does: each layer's output is rounded to the file's own steps, twice with something below half a step
added before. The quantised model has to be as near to the rounded one as these are to each other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Grid, InputSpec, Roundable, Runner
from weightbridge.model.tensors import Array
from weightbridge.report.verification import Verification
from weightbridge.verify.compare import compare, limit_of, relative_error
from weightbridge.verify.controls import result_of
from weightbridge.verify.output_findings import differing, nothing_compared, unpaired
from weightbridge.verify.pairing import in_shape
from weightbridge.verify.session import Session, prepare, running
from weightbridge.verify.shapes import fitted
from weightbridge.verify.values import Comparison, Probe, Setup

WITHIN = 2.0  # roundings: an interpreter rounds between the steps, too; below 0.8 in all that was tried
SEEDS = (1, 2, 3)
UNIFORM = sqrt(12.0)  # steps over the deviation of what rounding takes away
Grids = Mapping[str, Grid]
Proof = tuple[Verification, tuple[Finding, ...]]


@dataclass(frozen=True)
class _Bare:
    """A runner that shows its outputs alone, rounded where grids are told."""

    runner: Any
    grids: Grids | None = None
    seed: int = 0

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return tuple(self.runner.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.runner.outputs)

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        if self.grids is None:
            return dict(self.runner.run(feeds))
        return dict(self.runner.rounded(feeds, self.grids, self.seed))


@dataclass(frozen=True, slots=True)
class _Run:
    """One output on one probe. floats: of the candidate as it is; expected: of the reference."""

    comparison: Comparison
    floats: Array
    expected: Array


def equality_in_steps(
    reference: Runner, candidate: Roundable, setup: Setup, grids: Grids, steps: Mapping[str, float]
) -> Proof:
    """grids: by the candidate's layers and inputs. steps: of each output of the reference.

    Raises RunError where a model cannot run.
    """
    whole, other, setup, _ = fitted(reference, candidate, setup)
    session = prepare(_Bare(whole), _Bare(other, grids), setup)
    if isinstance(session, str):
        return Verification("actual", evidence={"comparisons": 0, "inconclusive": [session]}), (
            nothing_compared(session),
        )
    runs = list(_runs(whole, other, session, grids, steps))
    comparisons = [run.comparison for run in runs]
    faults = (*differing(comparisons, ("", _NEXT)), *unpaired(session))

    def outcome(wrong: Runner) -> dict[str, Any]:
        return _outcome(_runs(whole, wrong, session, grids, steps))

    controls = [] if faults else [result_of(control, outcome) for control in setup.controls]
    evidence = _evidence(runs, session, controls)
    outputs = tuple(comparison.to_dict() for comparison in comparisons)
    said = faults or _said(runs, steps)
    return Verification("actual", outputs, (), evidence), tuple(said)


_NEXT = "give inputs of its domain as probes (--probe); what differs then is a fault of the conversion"


def _runs(
    reference: Any, candidate: Any, session: Session, grids: Grids, steps: Mapping[str, float]
) -> Iterator[_Run]:
    expected_of = running(_Bare(reference), session, "reference")
    ways = [_Bare(candidate), *(_Bare(candidate, grids, seed) for seed in (0, *SEEDS))]
    runs = [running(way, session, "candidate") for way in ways]
    for probe in filter(_is_in_range, session.probes):
        results = [run(probe.feeds) for run in runs]
        for name, expected in expected_of(probe.feeds).items():
            arrays = [_as(expected, result[name]) for result in results]
            yield from _measured(name, probe.name, expected, arrays, steps.get(name, 0.0))


def _is_in_range(probe: Probe) -> bool:
    return probe.core or probe.name == "samples"


def _measured(name: str, probe: str, expected: Array, arrays: Sequence[Array], step: float) -> Iterator[_Run]:
    floats, *rounded = arrays
    comparison = _compared(name, probe, expected, rounded, step)
    if comparison is not None:
        yield _Run(comparison, floats, expected)


def _as(expected: Array, array: Array) -> Array:
    turned = in_shape(expected, array)
    assert turned is not None, "outputs were paired by their shapes"
    return np.asarray(turned)


def _compared(
    name: str, probe: str, expected: Array, rounded: Sequence[Array], step: float
) -> Comparison | None:
    """None for a reference of zeros, or one that is not finite, which has nothing to measure by."""
    reference, *others = (np.asarray(array, np.float64) for array in (expected, *rounded))
    energy = float(np.sqrt(np.mean(np.square(reference))))
    if not energy or not np.isfinite(reference).all():
        return None
    floor = max(step / UNIFORM / energy, float(np.finfo(np.float32).eps))
    broken = next((other for other in others if not np.isfinite(other).all()), None)
    if broken is not None:
        return compare(name, probe, reference, broken, floor)
    apart = max(relative_error(others[0], other) for other in others[1:])
    return _of_finite(name, probe, (reference, others[0]), energy, max(apart, floor))


def _of_finite(name: str, probe: str, arrays: tuple[Array, Array], energy: float, floor: float) -> Comparison:
    expected, got = arrays
    error = np.abs(got - expected)
    nrmse, limit = relative_error(expected, got), limit_of(expected.size, WITHIN)
    worst = np.unravel_index(int(error.argmax()), error.shape)
    return Comparison(
        name=name,
        probe=probe,
        status="differs" if nrmse / floor > limit else "equal",
        elements=expected.size,
        nrmse=nrmse,
        floor=floor,
        ratio=nrmse / floor,
        limit=limit,
        max_abs=float(error[worst]),
        max_rel=float(error.max() / energy),
        worst_index=tuple(int(i) for i in worst),
    )


def _outcome(runs: Iterable[_Run]) -> dict[str, Any]:
    """Of a control: a wrong model that rounds in the same way has to differ."""
    is_noticed = any(run.comparison.is_different for run in runs)
    return {"result": "failed" if is_noticed else "passed"}


def _evidence(
    runs: Sequence[_Run], session: Session, controls: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    vacuous = [str(c["name"]) for c in controls if c["result"] == "passed"]
    reasons = [f"the control {name!r} is not told apart either" for name in vacuous]
    reasons += [] if runs else ["no probe gives an output with anything in it"]
    return {
        "probes": len({run.comparison.probe for run in runs}),
        "comparisons": len(runs),
        "equal": sum(run.comparison.status == "equal" for run in runs),
        "rounded": True,
        "inconclusive": reasons,
        "controls": list(controls),
    }


def _said(runs: Sequence[_Run], steps: Mapping[str, float]) -> Iterator[Finding]:
    """WB302: how far the floats are from the codes, and what is too small to be seen beside that."""
    if not runs:
        return
    apart = max(runs, key=lambda run: _steps_apart(run, steps))
    name = apart.comparison.name
    count = _steps_apart(apart, steps)
    far = f"{count:.3g} steps" if steps.get(name) else f"{count:.2g}"
    least = min(run.comparison.floor * run.comparison.limit for run in runs)
    agreed = _agreement(runs)
    message = (
        f"the source rounds its data and the target does not: the output {name!r} differs by at most {far}"
        f"{agreed}; rounded in the same way both agree. A fault that changes an output by less than "
        f"{least:.1%} is below the steps of the file, and would not be noticed"
    )
    fix = "to have the values of before, give the model as it was before it was quantised"
    yield finding("WB302", message, source=name, fix=fix)


def _steps_apart(run: _Run, steps: Mapping[str, float]) -> float:
    largest = float(np.abs(np.asarray(run.floats, np.float64) - run.expected).max())
    return largest / (steps.get(run.comparison.name) or 1.0)


def _agreement(runs: Sequence[_Run]) -> str:
    """On how many items the largest output is the same, where outputs may be classes."""
    rows = [run for run in runs if run.expected.ndim == 2 and run.expected.shape[1] > 1]
    if not rows:
        return ""
    same = [run.expected.argmax(axis=1) == np.asarray(run.floats).argmax(axis=1) for run in rows]
    joined = np.concatenate(same)
    return f", its largest value is the same for {int(joined.sum())} of {joined.size} items"
