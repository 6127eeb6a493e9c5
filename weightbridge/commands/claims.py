"""What a transfer may claim before any model is run: equality of the whole, or not and why; and that its
bytes were read back.
"""

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
    loose = [s for s in plan.steps if s.contract not in EXACT]
    if not plan.steps or loose:
        return (
            f"{len(loose)} of {len(plan.steps)} tensors are not transferred exactly ({loose[0].target})"
            if loose
            else "there is no tensor"
        )
    differing = [f for f in findings if f.code in DIFFERENT]
    if differing:
        return f"{differing[0].code} at {differing[0].target or differing[0].source}"
    unused = [u for u in plan.unused if u.reason == "unexplained"]
    return f"the source's {unused[0].source} is not in the target" if unused else ""


def evidence_of(written: Written, findings: Iterable[Finding]) -> dict[str, Any]:
    """What stands in every verification of a written file: how many tensors were read back, and the claim."""
    return {"read_back": written.read_back, "claim": claims_equality(written.plan, findings) or "equal"}


def unproven(written: Written, findings: Iterable[Finding], reason: str) -> Verification:
    """The verification of a file of which no model was run: its bytes stand as they were written, and no more
    is said.
    """
    return Verification("read-back", evidence={**evidence_of(written, findings), "reason": reason})
