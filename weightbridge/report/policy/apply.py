"""A policy at work: on the options of a command, and on the severities of findings."""

from collections.abc import Mapping
from dataclasses import replace

from weightbridge.boundary.options import Options, PolicySeverity
from weightbridge.errors.diagnostics import Finding

SAID = (
    "fail_on",
    "min_coverage",
    "min_exact",
    "min_filled",
    "adapt",
    "baseline",
    "baseline_mode",
    "max_examples",
)


def with_policy(options: Options) -> Options:
    """Options with what their policy file says, where the user did not say it; the file is read once."""
    if options.policy is None or options.severities is not None:
        return options
    from weightbridge.report.policy.load import load_policy  # most commands have none

    policy = load_policy(options.policy)
    said = {name: getattr(policy, name) for name in SAID if name not in options.explicit}
    known = {name: value for name, value in said.items() if value is not None}
    names: dict[tuple[str, ...], str] = {(pair.source, pair.target): pair.name for pair in policy.pairs}
    return replace(options, **known, severities=policy.severity, pairs=names)


def with_severities(
    findings: tuple[Finding, ...], severities: Mapping[str, PolicySeverity]
) -> tuple[Finding, ...]:
    """The findings with these severities by code; those that are off are left out."""
    kept = (finding for finding in findings if severities.get(finding.code) != "off")
    return tuple(_with_severity(finding, severities.get(finding.code)) for finding in kept)


def _with_severity(finding: Finding, severity: PolicySeverity | None) -> Finding:
    if severity is None or severity == "off":
        return finding
    return replace(finding, severity=severity)
