"""verify: run both models on the same probes, and compare outputs and matched layers."""

from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.as_saved import SINCE_SAVED
from weightbridge.commands.prepare import prepare
from weightbridge.commands.prove import prove_pair
from weightbridge.commands.reading import said_when_run
from weightbridge.commands.reporting import judged
from weightbridge.commands.until import Until
from weightbridge.errors.diagnostics import Finding, with_severity
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.hashes import with_content
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.execute import Ledger, non_finite, values


def verify(a: Any, b: Any, options: Options, until: Until | None = None) -> Report:
    """The outputs decide; matching only says what to compare. until: the layer at which both end."""
    prepared = prepare(a, b, replace(options, plan=None))
    source, target = prepared.source, prepared.target
    plan = with_content(prepared.plan, source, target)
    verification, said = prove_pair(prepared, a, b, plan, options, until)
    evidence = {**verification.evidence, "tensors": identical_tensors(source, target, plan)}
    verification = replace(verification, evidence=evidence)
    broken = (*non_finite(source, "source"), *non_finite(target, "target"))
    known = said_when_run(source, prepared.findings)
    findings = (*settled(known, verification), *broken, *said)
    return judged("verify", replace(prepared, plan=plan, findings=findings), options, verification)


def settled(findings: tuple[Finding, ...], verification: Verification) -> tuple[Finding, ...]:
    """What changed since one side was saved is a note where that was run as it was then, and is equal.

    Where both sides are as old, what they compute today stays an error.
    """
    statuses = {output["status"] for output in verification.outputs}
    is_equal = "equal" in statuses and statuses <= {"equal", "zero-energy"}
    if len(verification.evidence.get("as_saved", ())) != 1 or not is_equal:
        return findings
    return tuple(with_severity(f, "note") if f.code in SINCE_SAVED else f for f in findings)


def identical_tensors(source: LayerGraph, target: LayerGraph, plan: Plan) -> dict[str, int]:
    """How many of the target's tensors hold, bit for bit, what their counterparts in the source give.

    A counterpart may be stored in another order of axes. matched: those that have one; total: all of them.
    """
    pairs = values(plan, source, target, Ledger())
    equal = [value.tobytes() == tensor.load().tobytes() for tensor, value in pairs]
    return {"identical": sum(equal), "matched": len(equal), "total": len(plan.steps)}
