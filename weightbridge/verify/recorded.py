"""Outputs that the model's author has published beside inputs, against those of a candidate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from weightbridge.errors import ModelError, RunError, UsageError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.arrays import read_arrays
from weightbridge.formats.running import Runner
from weightbridge.model.tensors import Array
from weightbridge.report.verification import Verification
from weightbridge.verify.both import compare_runs
from weightbridge.verify.compare import relative_error
from weightbridge.verify.controls import run_controls
from weightbridge.verify.floor import LEAST, Expected, wide
from weightbridge.verify.output_findings import differing
from weightbridge.verify.power import powerless
from weightbridge.verify.session import Session, prepare, running
from weightbridge.verify.values import Probe, Setup

Proof = tuple[Verification, tuple[Finding, ...]]
RECORDED = "recorded outputs"
WHERE = ("", "look at the inputs first: were they given to the model as they stand in the file?")


def against_recorded(candidate: Runner, setup: Setup) -> Proof | None:
    """What the probe file has under the names of outputs, or `y` for the only one; None where it has none.

    Noise is that of the candidate, float64 against float32.
    """
    if setup.samples is None:
        return None
    session = prepare(candidate, candidate, replace(setup, evidence="quick"))
    if isinstance(session, str):
        return None
    plain = tuple(replace(pair, view="plain") for pair in session.outputs)
    session = replace(session, outputs=plain, parts=())
    found = running(candidate, session, "reference")(session.probes[-1].feeds)
    recorded = _recorded(setup, found)
    if not recorded:
        return None
    expected = _expected(recorded, found, session, setup)
    comparisons = compare_runs((expected,), lambda _: found)
    faults = differing(comparisons, WHERE)
    weak, reasons = powerless(comparisons, (expected,))
    controls, vacuous = (
        ([], ()) if faults else run_controls(setup.controls, (expected,), session, setup.nbytes)
    )
    evidence: dict[str, Any] = {
        "probes": [RECORDED],
        "floor": "float64 against float32 of the target",
        "outputs_compared": len(recorded),
        "outputs": len(session.outputs),
        "comparisons": len(comparisons),
        "equal": sum(c.status == "equal" for c in comparisons),
        "inconclusive": list(reasons),
        "controls": controls,
    }
    outputs = tuple(comparison.to_dict() for comparison in comparisons)
    return Verification("actual", outputs, (), evidence), (*faults, *weak, *vacuous)


def _recorded(setup: Setup, found: Mapping[str, Array]) -> dict[str, Array]:
    """As many as were run."""
    assert setup.samples is not None, "asked before"
    told = _told(read_arrays(setup.samples, "the probe file"), found)
    for name, array in told.items():
        if array.shape[1:] != found[name].shape[1:] or len(array) < len(found[name]):
            message = f"the output {name!r} is {array.shape}, expected {found[name].shape}"
            raise UsageError(message, where=str(setup.samples), fix="Give an output for each of the inputs")
    return {name: wide(array[: len(found[name])]) for name, array in told.items()}


def _told(arrays: Mapping[str, Array], found: Mapping[str, Array]) -> dict[str, Array]:
    """By the outputs' names; `y` is the only one where it has its shape, as labels have not."""
    named = {name: arrays[name] for name in found if name in arrays}
    if named or len(found) != 1 or "y" not in arrays:
        return named
    ((name, output),) = found.items()
    y = arrays["y"]
    return {name: y} if y.dtype.kind == "f" and y.shape[1:] == output.shape[1:] else {}


def _expected(
    recorded: Mapping[str, Array], found: Mapping[str, Array], session: Session, setup: Setup
) -> Expected:
    feeds = session.probes[-1].feeds
    exact = _exactly(session, setup, feeds) or found
    floors = {name: max(LEAST, relative_error(wide(exact[name]), wide(found[name]))) for name in recorded}
    finite = frozenset(name for name, array in recorded.items() if np.isfinite(array).all())
    return Expected(Probe(RECORDED, feeds), recorded, floors, finite)


def _exactly(session: Session, setup: Setup, feeds: Mapping[str, Array]) -> Mapping[str, Array] | None:
    """The candidate in float64; None where it cannot be had."""
    try:
        precise = None if setup.precise_candidate is None else setup.precise_candidate()
        return None if precise is None else running(precise, session, "candidate")(feeds)
    except (RunError, ModelError):
        return None
