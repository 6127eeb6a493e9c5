"""Equality: two models claimed to compute the same function run on the same probes.

Controls must fail.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weightbridge.diagnostics import Finding
from weightbridge.errors import RunError
from weightbridge.formats.running import Runner
from weightbridge.model.tensors import Array
from weightbridge.verification import Verification
from weightbridge.verify.compare import compare
from weightbridge.verify.controls import run_controls
from weightbridge.verify.floor import Expected, Run, Sources, expect
from weightbridge.verify.layers import compare_layers, first_difference
from weightbridge.verify.output_findings import differing, never_finite, nothing_compared, unpaired
from weightbridge.verify.pairing import Turn, aligned
from weightbridge.verify.power import is_constant, powerless
from weightbridge.verify.session import Runners, Session, prepare, running
from weightbridge.verify.values import Comparison, Setup


def equality(reference: Runner, candidate: Runner, setup: Setup) -> tuple[Verification, tuple[Finding, ...]]:
    """Run both models on the same probes.

    Compare every output with the tolerance that the noise floor gives.

    The findings are WB401 (an output differs), WB405 (NaN or Inf), WB406 and WB503 (nothing is proven), WB502
    (a control passes), WB504 (nothing compared). `verification.evidence["inconclusive"]` holds what was
    compared in vain. Raises RunError where a model cannot run.
    """
    session = prepare(reference, candidate, setup)
    if isinstance(session, str):
        evidence = {"comparisons": 0, "inconclusive": [session]}
        return Verification("actual", evidence=evidence), (nothing_compared(session),)
    runners = _runners(reference, candidate, setup)
    sources = _sources(runners, session)
    expected = tuple(expect(sources, probe, setup.seed) for probe in session.probes)
    comparisons = compare_runs(expected, running(candidate, session, "candidate"), session.turn)
    layers = compare_layers(runners, session, setup.layers, setup.seed)
    faults = (
        *differing(comparisons, first_difference(layers)),
        *never_finite(expected, session),
        *unpaired(session),
    )
    weak, reasons = powerless(comparisons, expected)
    controls, vacuous = (_not_run(setup), ()) if faults else run_controls(setup.controls, expected, session)
    evidence = _evidence(sources, session, expected, comparisons)
    evidence |= {"inconclusive": list(reasons), "controls": controls}
    outputs = tuple(comparison.to_dict() for comparison in comparisons)
    return Verification("actual", outputs, layers, evidence), (*faults, *weak, *vacuous)


def _runners(reference: Runner, candidate: Runner, setup: Setup) -> Runners:
    """The candidate is rebuilt in float64 only where the reference cannot be."""
    precise = _built(setup.precise)
    precise_candidate = _built(setup.precise_candidate) if precise is None else None
    return Runners(reference, candidate, precise, precise_candidate)


def _built(build: Callable[[], Runner] | None) -> Runner | None:
    try:
        return build() if build is not None else None
    except RunError:
        return None


def _sources(runners: Runners, session: Session) -> Sources:
    reference = running(runners.reference, session, "reference")
    precise = running(runners.precise, session, "reference") if runners.precise else None
    if runners.precise_candidate is None:
        return Sources(reference, precise)
    exact = running(runners.precise_candidate, session, "candidate")
    rough = running(runners.candidate, session, "candidate")
    return Sources(reference, precise, (exact, rough))


def compare_runs(expected: Sequence[Expected], run: Run, turn: Turn) -> tuple[Comparison, ...]:
    """All arrays of all probes on which the reference is finite. RunError for an array that fits no more."""
    comparisons = []
    for one in expected:
        result = run(one.probe.feeds)
        comparisons += [_compared(one, name, result[name], turn) for name in sorted(one.finite)]
    return tuple(comparisons)


def _compared(expected: Expected, name: str, got: Array, turn: Turn) -> Comparison:
    reference, probe = expected.values[name], expected.probe.name
    array = aligned(reference, got, turn)
    if array is None:
        raise RunError(f"output {name!r} is {got.shape} on probe {probe!r}, expected {reference.shape}")
    return compare(name, probe, reference, array, expected.floors[name])


def _not_run(setup: Setup) -> list[Mapping[str, Any]]:
    why = {"result": "skipped", "reason": "the check failed already"}
    return [{"name": control.name, **why} for control in setup.controls]


def _evidence(
    sources: Sources, session: Session, expected: Sequence[Expected], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    outputs = session.outputs
    constant = (pair.reference for pair in outputs if is_constant(pair.reference, expected))
    out_of_domain = {one.probe.name for one in expected if len(one.finite) < len(outputs)}
    return {
        "probes": [one.probe.name for one in expected],
        "floor": sources.description,
        "layout": session.turn,
        "compared_as": {pair.reference: pair.view for pair in outputs},
        "outputs_compared": len({c.name for c in comparisons}),
        "outputs": len(outputs) + len(session.unpaired),
        "comparisons": len(comparisons),
        "equal": sum(c.status == "equal" for c in comparisons),
        "constant": sorted(constant),
        "out_of_domain": sorted(out_of_domain),
    }
