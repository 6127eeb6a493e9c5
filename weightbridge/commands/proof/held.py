"""Whether the target holds, now, what a transfer from the source would write into it."""

from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.prepare import prepare
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.reporting import judged
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification
from weightbridge.transfer.execute import Ledger, values

SHOWN = 5


def held(source: Any, target: Any, options: Options) -> Report:
    """The report of a check, with WB207 where values of the target are not those that the plan gives.

    Every value of both is read and compared bit by bit; nothing is written and no model is run.
    """
    with rules_of(options.rules):
        prepared = prepare(source, target, options)
        ledger = Ledger()
        pairs = values(prepared.plan, prepared.source, prepared.target, ledger, options.progress)
        compared = [(tensor.name, value.tobytes() == tensor.load().tobytes()) for tensor, value in pairs]
    other = [name for name, is_held in compared if not is_held]
    counts = {
        "identical": len(compared) - len(other),
        "matched": len(compared),
        "total": len(prepared.plan.steps),
    }
    findings = (*prepared.findings, *ledger.findings, *_other(prepared, other))
    verification = Verification("values", evidence={"tensors": counts})
    return judged("check", replace(prepared, findings=findings), options, verification)


def _other(prepared: Prepared, names: list[str]) -> tuple[Finding, ...]:
    if not names:
        return ()
    hold = "tensor of the target does not hold what the source gives it"
    if len(names) > 1:
        hold = "tensors of the target do not hold what the source gives them"
    message = f"{len(names):,} {hold}: {listed(names, SHOWN)}"
    fix = "Transfer into this model before it is used, or see what changed its values afterwards"
    place = names[0] if len(names) == 1 else prepared.target.owner[names[0]].name
    return (finding("WB207", message, target=place, fix=fix),)
