"""A report with its baseline, and without it again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding
from weightbridge.report.baseline.apply import accepted_of
from weightbridge.report.baseline.file import load_baseline
from weightbridge.report.baseline.values import STALE, Accepted
from weightbridge.report.document import finding_entries, finding_of
from weightbridge.report.values import Report

COUNTED = ("error", "warning")  # severities of findings that are new


def with_baseline(report: Report, findings: tuple[Finding, ...], options: Options) -> Report:
    """The report with those of the findings that the options' baseline does not accept."""
    if options.baseline is None or options.baseline_mode == "off":
        return replace(report, findings=findings)
    entries = entries_of(options)
    made = accepted_of(report, findings, entries, options)
    new = [found for found in made.findings if found.severity in COUNTED and found.code != STALE]
    return replace(
        report,
        findings=made.findings,
        accepted=tuple(_entry(found, one) for found, one in made.accepted),
        baseline={"new": len(new), "accepted": len(made.accepted), "stale": made.stale},
    )


def entries_of(options: Options) -> tuple[Accepted, ...]:
    """A file that a policy names need not be there yet; one that a user names must be."""
    if options.baseline is None or options.baseline_mode == "off":
        return ()
    return load_baseline(options.baseline, is_optional="baseline" not in options.explicit)


def restored(report: Report, options: Options) -> Report:
    """A saved report with all its findings, where it is judged by a baseline once more."""
    if options.baseline is None or report.baseline is None:
        return report
    kept = tuple(found for found in report.findings if found.code != STALE)
    findings = (*kept, *map(finding_of, report.accepted))
    return replace(report, findings=findings, accepted=(), baseline=None)


def _entry(found: Finding, one: Accepted) -> Mapping[str, Any]:
    (entry,) = finding_entries((found,))
    until = one.until.isoformat() if one.until else None
    return {**entry, "fingerprint": one.fingerprint, "reason": one.reason, "until": until}
