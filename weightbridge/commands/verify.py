"""verify: run both models on the same probes, and compare outputs and matched layers."""

from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.prepare import prepare
from weightbridge.commands.prove import prove_pair
from weightbridge.commands.reading import said_when_run
from weightbridge.commands.reporting import judged
from weightbridge.commands.until import Until
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.hashes import with_content
from weightbridge.report.values import Report
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
    findings = (*said_when_run(source, prepared.findings), *broken, *said)
    return judged("verify", replace(prepared, plan=plan, findings=findings), options, verification)


def identical_tensors(source: LayerGraph, target: LayerGraph, plan: Plan) -> dict[str, int]:
    """How many of the target's tensors hold, bit for bit, what their counterparts in the source give.

    A counterpart may be stored in another order of axes. matched: those that have one; total: all of them.
    """
    pairs = values(plan, source, target, Ledger())
    equal = [value.tobytes() == tensor.load().tobytes() for tensor, value in pairs]
    return {"identical": sum(equal), "matched": len(equal), "total": len(plan.steps)}
