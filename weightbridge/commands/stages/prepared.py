"""What check, plan, transfer, verify and convert have before anything is carried out."""

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan


@dataclass(frozen=True, slots=True)
class Prepared:
    """Both models read, and the plan between them with what is to be said about it."""

    source: LayerGraph
    target: LayerGraph
    plan: Plan
    findings: tuple[Finding, ...]
