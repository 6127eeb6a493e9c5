"""verify: run both models on the same probes, and compare outputs and matched layers."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.proof.as_saved import SINCE_SAVED
from weightbridge.commands.proof.prove import prove_pair
from weightbridge.commands.proof.until import Until
from weightbridge.commands.stages.prepare import prepare
from weightbridge.commands.stages.reading import said_when_run
from weightbridge.commands.stages.reporting import judged
from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.hashes import with_content
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.execute import Ledger, non_finite, values

NOT_THE_SAME = "the two are not the same model: inputs of your own, where outputs are not saturated, show it"


def verify(a: Any, b: Any, options: Options, until: Until | None = None) -> Report:
    """The outputs decide; matching only says what to compare. until: the layer at which both end."""
    prepared = prepare(a, b, replace(options, plan=None))
    source, target = prepared.source, prepared.target
    plan = with_content(prepared.plan, source, target)
    verification, said = prove_pair(prepared, a, b, plan, options, until)
    counts, changed = compared_tensors(source, target, plan)
    verification = replace(verification, evidence={**verification.evidence, "tensors": counts})
    broken = (*non_finite(source, "source"), *non_finite(target, "target"))
    known = said_when_run(source, prepared.findings)
    findings = (*settled(known, verification), *broken, *said, *hidden(verification, changed))
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


def hidden(verification: Verification, changed: Collection[str]) -> tuple[Finding, ...]:
    """WB503 where outputs are equal, and a layer of other values computes something else nevertheless.

    changed: the target's layers that hold other values than their counterparts. What is behind such a layer,
    as a sigmoid that saturates, hides it on these probes; a layer that is merely cut otherwise has the same
    values, and what a later layer makes good (hidden units in another order) is no difference of the two.
    """
    statuses = {output["status"] for output in verification.outputs}
    if "equal" not in statuses or "differs" in statuses:
        return ()
    other = frozenset(changed) - frozenset(verification.evidence.get("made_good", ()))
    layers = [
        layer for layer in verification.layers if layer["status"] == "differs" and layer["target"] in other
    ]
    if not layers:
        return _unseen(verification.evidence.get("unseen", ()))
    first, many = layers[0], f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    ratio = f"{first['ratio_cumulative']:.3g} times the noise floor"
    message = (
        f"the outputs are equal, but layer {first['target']!r}{many} holds other values and computes "
        f"something else ({ratio}): what is behind it hides that on these probes"
    )
    return (finding("WB503", message, source=first["source"], target=first["target"], fix=NOT_THE_SAME),)


def _unseen(layers: Sequence[str]) -> tuple[Finding, ...]:
    """WB503 for values that no output depends on: of dead units, or behind a ReLU that ends at 6."""
    if not layers:
        return ()
    many = f" (as {len(layers) - 1} more)" if len(layers) > 1 else ""
    known = f"the outputs are equal, but layer {layers[0]!r}{many} holds other values"
    message = f"{known}: with the source's in their place the outputs are the same, so the probes do not tell"
    return (finding("WB503", message, target=layers[0], fix=NOT_THE_SAME),)


def compared_tensors(
    source: LayerGraph, target: LayerGraph, plan: Plan
) -> tuple[dict[str, int], frozenset[str]]:
    """How many of the target's tensors hold, bit for bit, what their counterparts in the source give; and the
    layers of those that do not.

    A counterpart may be stored in another order of axes. matched: those that have one; total: all of them.
    """
    pairs = values(plan, source, target, Ledger())
    equal = {tensor.name: value.tobytes() == tensor.load().tobytes() for tensor, value in pairs}
    counts = {"identical": sum(equal.values()), "matched": len(equal), "total": len(plan.steps)}
    return counts, frozenset(target.owner[name].name for name, is_equal in equal.items() if not is_equal)
