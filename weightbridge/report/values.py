"""Report: what one command found, as one JSON object that every renderer reads (schema in
report/schema.json).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from weightbridge.diagnostics import Finding
from weightbridge.errors import VerdictError
from weightbridge.plan import Plan
from weightbridge.report.json import to_json
from weightbridge.verification import Verification

Verdict = Literal["pass", "warn", "fail", "inconclusive", "vacuous", "error"]
EXIT_CODES: dict[Verdict, int] = {
    "pass": 0,
    "warn": 0,
    "fail": 1,
    "inconclusive": 3,
    "vacuous": 3,
    "error": 4,
}


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One side of a report: what it is, and the hashes that name it."""

    path: str
    format: str
    producer: str
    structure: str
    sha256: str | None
    layers: int
    tensors: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one command; all formats render `report.to_json()`.

    `exit_code` follows from the verdict and `fail_on`; `graph` is the layer listing of `inspect`, None
    elsewhere.
    """

    command: str
    verdict: Verdict
    source: ModelSummary | None = None
    target: ModelSummary | None = None
    plan: Plan | None = None
    findings: tuple[Finding, ...] = ()
    verification: Verification = field(default_factory=Verification)
    graph: Mapping[str, Any] | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """The JSON object that schema.json describes: the same inputs give the same bytes."""
        return to_json(self)

    def raise_for_verdict(self) -> None:
        """Raises VerdictError unless the verdict is `pass` or `warn`."""
        if self.verdict not in ("pass", "warn"):
            raise VerdictError(
                f"{self.command}: verdict {self.verdict}"
                + "".join(f"\n  {f.code} {f.message}" for f in self.findings[:5])
            )
