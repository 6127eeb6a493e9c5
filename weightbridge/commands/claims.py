"""What a transfer may claim before any model is run: that the whole is equal, or why not."""

from collections.abc import Iterable
from typing import Any

from weightbridge.diagnostics import Finding
from weightbridge.plan import Plan
from weightbridge.transfer.write import Written
from weightbridge.verification import Verification

NOT_RUN = "--no-verify: no model was run"
EXACT = frozenset({"bitwise", "preserving"})
DIFFERENT = frozenset({"WB103", "WB105", "WB301", "WB403", "WB404", "WB408"})


def claims_equality(plan: Plan, findings: Iterable[Finding]) -> str:
    """ "" where the two whole models are claimed to be one function, else why not."""
    if not plan.steps:
        return "there is no tensor"
    loose = [step for step in plan.steps if step.contract not in EXACT]
    if loose:
        count = f"{len(loose)} of {len(plan.steps)}"
        return f"{count} tensors are not transferred exactly ({loose[0].target})"
    differing = next((f for f in findings if f.code in DIFFERENT), None)
    if differing is not None:
        return f"{differing.code} at {differing.target or differing.source}"
    unused = next((entry for entry in plan.unused if entry.reason == "unexplained"), None)
    return f"the source's {unused.source} is not in the target" if unused is not None else ""


def evidence_of(written: Written, findings: Iterable[Finding]) -> dict[str, Any]:
    """What stands in every verification of a written file: how many tensors were read back, and the claim."""
    return {"read_back": written.read_back, "claim": claims_equality(written.plan, findings) or "equal"}


def unproven(written: Written, findings: Iterable[Finding], reason: str) -> Verification:
    """The verification where no model was run: the file's bytes stand as they were written, and no more."""
    return Verification("read-back", evidence={**evidence_of(written, findings), "reason": reason})
