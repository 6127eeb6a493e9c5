"""PairsReport: the reports of all pairs of a policy as one, with the worst verdict and its exit code."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.report.document import HEAD, plain, plan_entries
from weightbridge.report.values import ORDER, Report, Verdict
from weightbridge.report.verification import Verification


@dataclass(frozen=True, slots=True)
class PairsReport:
    """One report for each pair, in the policy's order. config: the policy's path."""

    reports: tuple[Report, ...]
    config: str = ""

    @property
    def command(self) -> str:
        return self.reports[0].command if self.reports else "check"

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        return min((report.verdict for report in self.reports), key=ORDER.index, default="pass")

    @property
    def exit_code(self) -> int:
        """Of the worst pair."""
        return max((r.exit_code for r in self.reports if r.verdict == self.verdict), default=0)

    def to_dict(self) -> dict[str, Any]:
        """An object like that of one report, with the findings of all, and `pairs` with each report."""
        pairs = [report.to_dict() for report in self.reports]
        covered: Counter[str] = Counter()
        for pair in pairs:
            covered.update(pair["coverage"])
        exact, parameters = covered["copied"] + covered["transformed"], covered["parameters"]
        empty = plan_entries(None, {}, {})
        coverage = {**empty["coverage"], **covered, "fraction": exact / parameters if parameters else 0.0}
        return {
            **HEAD,
            "command": self.command,
            "config": self.config,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "asked": {"options": _common([pair["asked"].get("options", {}) for pair in pairs])},
            "source": {},
            "target": {},
            **empty,
            "coverage": coverage,
            "findings": [_of_pair(pair, found) for pair in pairs for found in pair["findings"]],
            "verification": plain(asdict(Verification())),
            "pairs": pairs,
        }

    def to_json(self) -> dict[str, Any]:
        """As a Report has it."""
        return self.to_dict()


def _common(several: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The options that all pairs share, of those that could be read."""
    known = [options for options in several if options]
    first = known[0] if known else {}
    return {key: value for key, value in first.items() if all(one.get(key) == value for one in known)}


def _of_pair(pair: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {"pair": pair.get("pair", ""), **found}
