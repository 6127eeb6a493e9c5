"""Report: what one command found, as one JSON object that every renderer reads (see schema.json)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, field
from importlib import import_module
from typing import Any, Literal

from weightbridge.boundary.records import dataclass
from weightbridge.errors import VerdictError
from weightbridge.errors.diagnostics import SEVERITIES, Finding
from weightbridge.plan import Plan
from weightbridge.report.coverage import Coverage, coverage
from weightbridge.report.document import HEAD, finding_entries, plain, plan_entries, summary_entry
from weightbridge.report.verification import Verification
from weightbridge.report.words import counted

SHOWN = 5  # findings in the message of an error
Verdict = Literal["pass", "warn", "fail", "inconclusive", "vacuous", "error"]
# From the worst.
ORDER: tuple[Verdict, ...] = ("error", "fail", "vacuous", "inconclusive", "warn", "pass")
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


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The result of one command.

    command: `check`, `transfer`, ...; verdict: `pass`, `warn`, `fail`, `inconclusive`, `vacuous` or `error`.
    source, target: what both models are; plan: a step for each target tensor, None where nothing was planned.
    findings: what a user should know: `.code`, `.severity`, `.message`, `.source`, `.target`, `.fix` of each.
    verification: what was run and compared. exit_code: the command's, from the verdict and `fail_on`.
    graph: the layers, for `inspect` alone. asked: the options. graphs: both models, compact.
    wrote: the file that was written, empty where none was, None where the command writes none.
    digests: what a transfer wrote into each target tensor, `sha256:...` of its dtype, shape and bytes.
    pair: the name of both models in the policy. refused: why nothing was done, where that has no code.
    baseline: how many findings are `new`, `accepted` and how many entries `stale`, where there is a baseline.
    accepted: the findings that it accepts, each with the reason and the last day.
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
    asked: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, Any] = field(default_factory=dict)
    wrote: Mapping[str, Any] | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    pair: str = ""
    refused: str = ""
    baseline: Mapping[str, int] | None = None
    accepted: tuple[Mapping[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON's own values: what `--report json` writes and every other format renders.

        The same for the same inputs: no times, and no paths but those that were given. The keys are those of
        the schema that ships in the wheel (`weightbridge/report/schema.json`).
        """
        graph = {} if self.graph is None else {"graph": plain(self.graph)}
        wrote = {} if self.wrote is None else {"wrote": plain(self.wrote)}
        graphs = {"graphs": self.graphs} if self.graphs else {}
        named = {key: value for key, value in (("pair", self.pair), ("refused", self.refused)) if value}
        return {
            **HEAD,
            "command": self.command,
            **named,
            "verdict": self.verdict,
            "exit_code": self.exit_code or EXIT_CODES[self.verdict],
            "asked": plain(self.asked),
            "source": summary_entry(self.source),
            "target": summary_entry(self.target),
            **plan_entries(self.plan, self.graphs, self.digests),
            "findings": finding_entries(self.findings),
            **self._accepted(),
            "verification": plain(asdict(self.verification)),
            **wrote,
            **graph,
            **graphs,
        }

    def _accepted(self) -> dict[str, Any]:
        if self.baseline is None:
            return {}
        return {"baseline": dict(self.baseline), "accepted": [dict(one) for one in self.accepted]}

    def to_json(self) -> dict[str, Any]:
        """The same as `to_dict`."""
        return self.to_dict()

    @property
    def ok(self) -> bool:
        """Whether the verdict is `pass` or `warn`."""
        return self.verdict in ("pass", "warn")

    @property
    def coverage(self) -> Coverage:
        """How much of the target the plan fills, and how much of the source it uses, in parameters.

        `.fraction` is what arrived exactly, 0 to 1; `.copied`, `.transformed`, `.adapted`, `.fresh` and
        `.kept` are numbers of parameters and sum up to `.parameters`. All are 0 where there is no plan.
        """
        return coverage(self.plan)

    def to_markdown(self) -> str:
        """The report as GitHub's Markdown, below 60,000 characters: what `--report markdown` writes."""
        return _rendered("markdown", self)

    def __repr__(self) -> str:
        """One line: `<Report check: pass, 17 of 17 tensors exact, 1 note>`."""
        tally = Counter(found.severity for found in self.findings)
        found = (counted(tally[severity], severity) for severity in reversed(SEVERITIES) if tally[severity])
        return f"<Report {self.command}: {', '.join((self.verdict, *_extent(self), *found))}>"

    def __str__(self) -> str:
        """The text report, at most 45 lines."""
        return _rendered("text", self)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return _rendered("html.notebook", self)

    def raise_for_verdict(self) -> None:
        """Raises VerdictError, with this report, unless the verdict is `pass` or `warn`."""
        if self.ok:
            return
        first = "".join(f"\n  {found.code} {found.message}" for found in self.findings[:SHOWN])
        more = len(self.findings) - SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        code = self.findings[0].code if self.findings else ""
        message = f"{self.command}: verdict {self.verdict}{first}{rest}"
        raise VerdictError(message, report=self, code=code, fix="Look at .report of this error for the rest")


def _extent(report: Report) -> Iterator[str]:
    """How much of the target is exact, or how large the model is."""
    if report.plan is not None:
        exact = sum(step.kind in ("copy", "transform") for step in report.plan.steps)
        yield f"{exact:,} of {counted(len(report.plan.steps), 'tensor')} exact"
    elif report.source is not None:
        yield counted(report.source.layers, "layer")
        yield counted(report.source.parameters, "parameter")


def _rendered(format: str, report: Report) -> str:
    """By the renderer of this format, which is imported only then."""
    module = import_module(f"weightbridge.report.render.{format}")
    text: str = module.render(report.to_json())
    return text
