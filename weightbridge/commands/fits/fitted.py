"""A prepared transfer with its fit, which check, plan and transfer go on with."""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.model.tensors import Array
from weightbridge.report.verification import Verification


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prepared transfer with its fit. values: by target tensor, where it was carried out."""

    prepared: Prepared
    values: Mapping[str, Array] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def with_evidence(verification: Verification, fit: Fitted) -> Verification:
    """With what the fit has measured."""
    if not fit.evidence:
        return verification
    return replace(verification, evidence={**verification.evidence, "fit": fit.evidence})
