"""Equality: two models claimed to compute the same function run on the same probes.

Controls must fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.running import Remarking, Runner
from weightbridge.report.verification import Verification
from weightbridge.verify.arithmetic import (
    Build,
    Runners,
    runners_of,
    said_of_precision,
    with_precise,
    without_precise,
)
from weightbridge.verify.both import (
    are_unusual,
    compare_runs,
    differ,
    in_double,
    of_candidate,
    with_noise_of_both,
)
from weightbridge.verify.controls import let_go, run_controls
from weightbridge.verify.floor import BuildRun, Expected, Sources, expect
from weightbridge.verify.layers import compare_layers, where_to_look
from weightbridge.verify.output_findings import differing, never_finite, nothing_compared, unpaired
from weightbridge.verify.power import excited, is_constant, powerless
from weightbridge.verify.scales import of_probabilities
from weightbridge.verify.session import Session, prepare, running
from weightbridge.verify.shapes import differ_in_size, fitted
from weightbridge.verify.values import Comparison, Setup

Proof = tuple[Verification, tuple[Finding, ...]]


def equality(reference: Runner, candidate: Runner, setup: Setup) -> tuple[Verification, tuple[Finding, ...]]:
    """Run both models on the same probes.

    Compare every output with the tolerance that the noise floor gives.

    The findings are WB401 (an output differs), WB405 (NaN or Inf), WB406 and WB503 (nothing is proven), WB502
    (a control passes), WB504 (nothing compared). `verification.evidence["inconclusive"]` holds what was
    compared in vain. Raises RunError where a model cannot run.
    """
    sizes_differ = differ_in_size(reference, candidate)
    reference, candidate, setup, resized = fitted(reference, candidate, setup)
    session = _session(reference, candidate, setup, resized)
    if isinstance(session, str):
        evidence = {"comparisons": 0, "inconclusive": [session]}
        evidence |= {"sizes_differ": True} if sizes_differ else {}
        return Verification("actual", evidence=evidence), (nothing_compared(session),)
    (verification, findings), arithmetic = _in_what_runs(reference, candidate, session, setup)
    told = {"compared_in": arithmetic, "compared_at": resized}
    evidence = {**verification.evidence, **{key: value for key, value in told.items() if value}}
    said = said_of_precision(reference, candidate)
    return replace(verification, evidence=evidence), (*findings, *said)


def _in_what_runs(reference: Runner, candidate: Runner, session: Session, setup: Setup) -> tuple[Proof, str]:
    """In float64 where both run in it: a framework may lack an operation there (TensorFlow's 3D pools)."""
    attempts = [setup]
    if setup.precise is not None:
        attempts.append(replace(setup, precise=None))
    if setup.precise_candidate is not None:
        attempts.append(replace(setup, precise=None, precise_candidate=None))
    for attempt in attempts:
        try:
            return _verified(reference, candidate, session, attempt)
        except RunError as error:
            failure = error
    raise failure


def _session(reference: Runner, candidate: Runner, setup: Setup, resized: str) -> Session | str:
    """Also why there is none where a model was rebuilt for another shape, and does not run on it."""
    try:
        return prepare(reference, candidate, setup)
    except RunError as error:
        if not resized:
            raise
        return f"{resized}: {error.message}"


def _verified(reference: Runner, candidate: Runner, session: Session, setup: Setup) -> tuple[Proof, str]:
    """Also the arithmetic. What runs in float64 is let go as soon as what it gives is known."""
    runners = runners_of(reference, candidate, setup)
    setup.progress("running both models", 0, 0)
    expected = _expected(runners, session, setup.seed)
    comparisons = compare_runs(expected, running(runners.candidate, session, "candidate"))
    runners = without_precise(runners)
    let_go(setup.nbytes)
    if are_unusual(comparisons):
        runners = in_double(runners, session, setup)
        expected, comparisons = with_noise_of_both(runners, session, setup, expected)
    layers = _layers(runners, session, setup, comparisons)
    faults = (
        *differing(_told(comparisons, session), where_to_look(layers, setup.hints, _remarks(runners))),
        *never_finite(expected, session),
        *_overflowing(runners, session),
        *unpaired(session),
    )
    whole = [c for c in comparisons if c.name in session.whole]
    weak, reasons = powerless(whole, expected)
    evidence = _evidence(_sources(runners, session).description, session, expected, comparisons)
    runners = replace(runners, precise_candidate=None)
    let_go(setup.nbytes)
    setup.progress("running the controls, which must fail", 0, 0)
    controls, vacuous = (_not_run(setup), ()) if faults else _controls(setup, expected, session)
    evidence |= {"inconclusive": list(reasons), "controls": controls}
    evidence |= {} if faults else _unseen(runners, session, setup, expected)
    outputs = tuple(comparison.to_dict() for comparison in comparisons)
    verification = Verification("actual", outputs, layers, evidence)
    return (verification, (*faults, *weak, *vacuous)), runners.said


def _expected(runners: Runners, session: Session, seed: int) -> tuple[Expected, ...]:
    sources = _sources(runners, session)
    expected = expect(sources, session.probes, seed)
    expected = (*expected, *excited(sources, expected, session, seed))
    return tuple(of_probabilities(one, session.parts) for one in expected)


def _controls(
    setup: Setup, expected: Sequence[Expected], session: Session
) -> tuple[list[Mapping[str, Any]], tuple[Finding, ...]]:
    return run_controls(setup.controls, expected, session, setup.nbytes)


def _layers(
    runners: Runners, session: Session, setup: Setup, comparisons: Sequence[Comparison]
) -> tuple[Mapping[str, Any], ...]:
    if not setup.layers or not (setup.all_layers or differ(comparisons)):
        return ()
    return compare_layers(with_precise(runners, setup), session, setup.layers, setup.seed, setup.progress)


def _unseen(
    runners: Runners, session: Session, setup: Setup, expected: Sequence[Expected]
) -> Mapping[str, list[str]]:
    """Layers of other values: whether an output changes when they get the reference's."""
    if setup.substitutes is None or runners.as_it_is is not None:
        return {}
    results, _ = run_controls(setup.substitutes(runners.candidate), expected, session)
    by_result = {"unseen": "passed", "made_good": "failed"}
    found = {
        key: [str(one["name"]) for one in results if one["result"] == result]
        for key, result in by_result.items()
    }
    return {key: names for key, names in found.items() if names}


def _remarks(runners: Runners) -> tuple[str, ...]:
    sides = (runners.reference, runners.candidate)
    said = (remark for side in sides if isinstance(side, Remarking) for remark in side.remarks)
    return tuple(dict.fromkeys(said))


def _told(comparisons: Sequence[Comparison], session: Session) -> list[Comparison]:
    """Without the parts of an output that differs as a whole, which say the same again."""
    bad = {c.name for c in comparisons if c.is_different}
    again = {part.name for part in session.parts if part.output in bad}
    return [c for c in comparisons if c.name not in again]


def _overflowing(runners: Runners, session: Session) -> tuple[Finding, ...]:
    """WB405 where the candidate, in its own dtype, leaves the finite numbers on every probe of its domain."""
    if runners.as_it_is is None:
        return ()
    run = running(runners.as_it_is, session, "candidate")
    core = [probe for probe in session.probes if probe.core]
    results = (run(probe.feeds) for probe in core)
    if any(
        np.isfinite(np.asarray(array, np.float64)).all() for result in results for array in result.values()
    ):
        return ()
    fix = "build the target in float32 or bfloat16: its own dtype cannot hold what it computes"
    message = "every output is NaN or Inf in the target's own dtype, and finite in float64"
    return (finding("WB405", message, target=session.outputs[0].reference, fix=fix),)


def _sources(runners: Runners, session: Session) -> Sources:
    def builds(moved: Sequence[Build]) -> tuple[BuildRun, ...]:
        return tuple(_later(build, session) for build in moved)

    precise = running(runners.precise, session, "reference") if runners.precise else None
    return Sources(
        reference=running(runners.reference, session, "reference"),
        precise=precise,
        other=of_candidate(runners, session),
        moved=builds(runners.moved),
        coarsely=builds(runners.coarsely),
        ulp=runners.ulp,
        coarse_ulp=runners.coarse_ulp,
        is_exact=runners.is_exact,
    )


def _later(build: Build, session: Session) -> BuildRun:
    return lambda: running(build(), session, "reference")


def _not_run(setup: Setup) -> list[Mapping[str, Any]]:
    why = {"result": "skipped", "reason": "the check failed already"}
    return [{"name": control.name, **why} for control in setup.controls]


def _evidence(
    floor: str, session: Session, expected: Sequence[Expected], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    outputs = session.outputs
    constant = (pair.reference for pair in outputs if is_constant(pair.reference, expected))
    out_of_domain = {one.probe.name for one in expected if not session.whole <= one.finite}
    return {
        "probes": [one.probe.name for one in expected],
        "floor": floor,
        "layout": session.turn,
        **_layouts_tried(session),
        "compared_as": {pair.reference: pair.view for pair in outputs},
        "outputs_compared": len({c.name for c in comparisons} & session.whole),
        **_parts(session),
        "outputs": len(outputs) + len(session.unpaired),
        "comparisons": len(comparisons),
        "equal": sum(c.status == "equal" for c in comparisons),
        "constant": sorted(constant),
        "out_of_domain": sorted(out_of_domain),
    }


def _parts(session: Session) -> dict[str, Any]:
    return {"parts": [part.name for part in session.parts]} if session.parts else {}


def _layouts_tried(session: Session) -> dict[str, Any]:
    """Outputs whose shape allows several layouts, and which made them equal."""
    tried = {pair.reference: pair.turn for pair in session.outputs if pair.is_tried}
    return {"layout_tried": tried} if tried else {}
