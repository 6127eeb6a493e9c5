"""Equality: two models claimed to compute the same function, run on the same probes, with controls that must
fail.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weightbridge.diagnostics import Finding, finding
from weightbridge.errors import RunError
from weightbridge.formats.running import Runner
from weightbridge.model.tensors import Array
from weightbridge.verification import Verification
from weightbridge.verify.compare import compare, finding_of
from weightbridge.verify.controls import run_controls
from weightbridge.verify.floor import Expected, Run, Sources, expect
from weightbridge.verify.layers import compare_layers, first_difference
from weightbridge.verify.pairing import Turn, aligned
from weightbridge.verify.power import is_constant, powerless
from weightbridge.verify.session import Runners, Session, prepare, running
from weightbridge.verify.values import Comparison, Setup


def equality(reference: Runner, candidate: Runner, setup: Setup) -> tuple[Verification, tuple[Finding, ...]]:
    """Run both models on the same probes and compare every output with the tolerance that the noise floor
    gives.

    The findings are WB401 (an output differs), WB405 (NaN or Inf), WB406 and WB503 (nothing is proven), WB502
    (a control passes), WB504
    (nothing compared); `verification.evidence["inconclusive"]` holds what was compared in vain. Raises
    RunError where a model cannot run.
    """
    session = prepare(reference, candidate, setup)
    if isinstance(session, str):
        return _nothing_compared(session)
    runners = _runners(reference, candidate, setup)
    sources = _sources(runners, session)
    expected = tuple(expect(sources, probe, setup.seed) for probe in session.probes)
    comparisons = compare_runs(expected, running(candidate, session, "candidate"), session.turn)
    layers = compare_layers(runners, session, setup.layers, setup.seed)
    differing = (
        _differences(comparisons, first_difference(layers))
        + _never_finite(expected, session)
        + _unpaired(session)
    )
    weak, reasons = powerless(comparisons, expected)
    controls, vacuous = (
        run_controls(setup.controls, expected, session) if not differing else (_not_run(setup), ())
    )
    evidence = {
        **_evidence(sources, session, expected, comparisons),
        "inconclusive": list(reasons),
        "controls": controls,
    }
    return Verification("actual", tuple(c.to_dict() for c in comparisons), layers, evidence), (
        *differing,
        *weak,
        *vacuous,
    )


def compare_runs(expected: Sequence[Expected], run: Run, turn: Turn) -> tuple[Comparison, ...]:
    """All arrays of all probes on which the reference is finite; an array that fits no more counts as
    different from anything.
    """
    found = []
    for one in expected:
        result = run(one.probe.feeds)
        found += [_compared(one, name, result[name], turn) for name in sorted(one.finite)]
    return tuple(found)


def _compared(expected: Expected, name: str, got: Array, turn: Turn) -> Comparison:
    array = aligned(expected.values[name], got, turn)
    if array is None:
        raise RunError(
            f"output {name!r} is {got.shape} on probe {expected.probe.name!r}, expected {expected.values[name].shape}"
        )
    return compare(name, expected.probe.name, expected.values[name], array, expected.floors[name])


def _sources(runners: Runners, session: Session) -> Sources:
    precise = running(runners.precise, session, "reference") if runners.precise else None
    other = (
        (
            running(runners.precise_candidate, session, "candidate"),
            running(runners.candidate, session, "candidate"),
        )
        if runners.precise_candidate
        else None
    )
    return Sources(running(runners.reference, session, "reference"), precise, other)


def _runners(reference: Runner, candidate: Runner, setup: Setup) -> Runners:
    """The candidate is rebuilt in float64 only where the reference cannot be."""
    precise = _built(setup.precise)
    return Runners(
        reference, candidate, precise, _built(setup.precise_candidate) if precise is None else None
    )


def _built(build: Callable[[], Runner] | None) -> Runner | None:
    try:
        return build() if build is not None else None
    except RunError:
        return None


def _differences(comparisons: Sequence[Comparison], hint: str) -> tuple[Finding, ...]:
    """One finding for each output that differs: its worst probe."""
    found = []
    for name in dict.fromkeys(c.name for c in comparisons):
        bad = [c for c in comparisons if c.name == name and c.status in ("differs", "non-finite")]
        worst = max(bad, key=lambda c: (c.status == "non-finite", c.ratio), default=None)
        found += [f for f in [finding_of(worst, hint) if worst else None] if f is not None]
    return tuple(found)


def _never_finite(expected: Sequence[Expected], session: Session) -> tuple[Finding, ...]:
    """A model may leave the finite numbers on inputs that it was not made for, but not on all of them."""
    bad = [
        pair
        for pair in session.outputs
        if not any(pair.reference in one.finite for one in expected if one.probe.core)
    ]
    fix = "look for NaN among the source's weights (WB106), or give inputs of its domain with --probe"
    return tuple(
        finding(
            "WB405",
            f"output {pair.reference!r} of the source is NaN or Inf on every probe",
            source=pair.reference,
            fix=fix,
        )
        for pair in bad
    )


def _unpaired(session: Session) -> tuple[Finding, ...]:
    fix = "compare models that have the same outputs, or cut one at the layer that is meant (weightbridge features)"
    return tuple(
        finding(
            "WB401",
            f"output {name!r} has no counterpart of its shape in the other model",
            target=name,
            fix=fix,
        )
        for name in session.unpaired
    )


def _nothing_compared(reason: str) -> tuple[Verification, tuple[Finding, ...]]:
    fix = "give models that take the same inputs and give the same outputs"
    found = finding("WB504", f"nothing was compared: {reason}", fix=fix)
    return Verification("actual", evidence={"comparisons": 0, "inconclusive": [reason]}), (found,)


def _not_run(setup: Setup) -> list[Mapping[str, Any]]:
    return [
        {"name": control.name, "result": "skipped", "reason": "the check failed already"}
        for control in setup.controls
    ]


def _evidence(
    sources: Sources, session: Session, expected: Sequence[Expected], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    return {
        "probes": [one.probe.name for one in expected],
        "floor": sources.description,
        "layout": session.turn,
        "compared_as": {pair.reference: pair.view for pair in session.outputs},
        "outputs_compared": len({c.name for c in comparisons}),
        "outputs": len(session.outputs) + len(session.unpaired),
        "comparisons": len(comparisons),
        "equal": sum(c.status == "equal" for c in comparisons),
        "constant": sorted(
            pair.reference for pair in session.outputs if is_constant(pair.reference, expected)
        ),
        "out_of_domain": sorted(
            {one.probe.name for one in expected if len(one.finite) < len(session.outputs)}
        ),
    }
