"""What a transfer may claim before any model is run: that the whole is equal, or why not."""

from collections.abc import Iterable
from typing import Any

from weightbridge.errors.diagnostics import Finding
from weightbridge.model.tensors import ROUNDED
from weightbridge.plan import Plan, Step
from weightbridge.report.verification import Verification
from weightbridge.transfer.write import Written

NOT_RUN = "--no-verify: no model was run"
EXACT = frozenset({"bitwise", "preserving"})
# The source run today is no reference (WB103), is no whole (WB105), or is not meant for the same inputs
# (WB408).
# Attributes that differ (WB403, WB404) say where to look: outputs are compared all the same.
DIFFERENT = frozenset({"WB103", "WB105", "WB301", "WB408"})
# Keras rounds the activations of a layer whose kernel is kept as integers
ROUNDING = frozenset({"dequantise-keras"})
CASTS = frozenset({"copy", "transform"})
TO_LOOK_AT = frozenset({"WB403", "WB404"})


def claims_equality(plan: Plan, findings: Iterable[Finding]) -> str:
    """ "" where the two whole models are claimed to be one function, else why not."""
    if not plan.steps:
        return "there is no tensor"
    loose = [step for step in plan.steps if not is_exact(step)]
    if loose:
        count = f"{len(loose)} of {len(plan.steps)}"
        return f"{count} tensors are not transferred exactly ({loose[0].target})"
    differing = next((f for f in findings if f.code in DIFFERENT), None)
    if differing is not None:
        return f"{differing.code} at {differing.target or differing.source}"
    return rounds_data(plan) or _left_over(plan)


def is_exact(step: Step) -> bool:
    """Also the same values in a narrower dtype: what that rounds off is measured."""
    is_cast = step.contract == "lossy" and step.kind in CASTS
    return is_cast or step.contract in EXACT


def _left_over(plan: Plan) -> str:
    unused = next((entry.source for entry in plan.unused if entry.reason == "unexplained"), "")
    return unused and f"the source's {unused} is not in the target"


def rounds_data(plan: Plan) -> str:
    """Why a quantised source is no reference for its floats, "" where it rounds its weights alone."""
    targets = [step.target for step in plan.steps if _rounds(step)]
    return f"the source rounds its activations at {targets[0]}, the target does not" if targets else ""


def _rounds(step: Step) -> bool:
    return step.transform in ROUNDING or ROUNDED.items() <= step.parameters.items()


def hints_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The places at which the two are known to compute something else."""
    known = (f.target or f.source for f in findings if f.code in TO_LOOK_AT and f.severity != "note")
    return tuple(dict.fromkeys(place for place in known if place))


def evidence_of(written: Written, findings: Iterable[Finding]) -> dict[str, Any]:
    """What stands in every verification of a written file: how many tensors were read back, and the claim."""
    return {"read_back": written.read_back, "claim": claims_equality(written.plan, findings) or "equal"}


def unproven(written: Written, findings: Iterable[Finding], reason: str) -> Verification:
    """The verification where no model was run: the file's bytes stand as they were written, and no more."""
    return Verification("read-back", evidence={**evidence_of(written, findings), "reason": reason})
