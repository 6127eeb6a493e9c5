"""What adapters propose: steps for target tensors, findings, and the tensors that are left fresh on purpose."""

from dataclasses import dataclass

from weightbridge.diagnostics import Finding
from weightbridge.plan import Step


@dataclass(frozen=True, slots=True)
class Proposal:
    """Steps override exact matches of the same target; `fresh` names target tensors of a replaced head, which get no step.

    different: the two are different architectures, whose layers do not correspond: what matching said of its pairs does not apply.
    """

    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    fresh: frozenset[str] = frozenset()
    different: bool = False
