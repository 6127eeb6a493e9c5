"""A policy file: severities of codes, how much must be covered, and what makes a command fail."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from weightbridge.boundary.options import FailOn, Options, PolicySeverity
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import CODES, Finding, Severity

SEVERITIES: tuple[PolicySeverity, ...] = (*get_args(Severity), "off")
FAIL_ON: tuple[FailOn, ...] = get_args(FailOn)


@dataclass(frozen=True, slots=True)
class Policy:
    """severity: by WB code. None where the file does not say."""

    severity: Mapping[str, PolicySeverity] = field(default_factory=dict)
    min_coverage: float | None = None
    fail_on: FailOn | None = None


def load_policy(path: Path) -> Policy:
    """Raises UsageError with all that is wrong in the file."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"the policy cannot be read: {error.strerror}",
            where=str(path),
            fix="Check the path and its permissions",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the policy is no TOML: {error}", where=str(path)) from error
    wrong = _problems(table)
    if wrong:
        raise UsageError("; ".join(wrong), where=str(path), fix="`weightbridge rules list` names the codes")
    return Policy(table.get("severity", {}), table.get("min_coverage"), table.get("fail_on"))


def with_policy(options: Options) -> Options:
    """Options with what their policy file says, where the user did not say it; the file is read once."""
    if options.policy is None or options.severities is not None:
        return options
    policy = load_policy(options.policy)
    fail_on, least = policy.fail_on, policy.min_coverage
    if fail_on is None or "fail_on" in options.explicit:
        fail_on = options.fail_on
    if least is None or "min_coverage" in options.explicit:
        least = options.min_coverage
    return replace(options, fail_on=fail_on, min_coverage=least, severities=policy.severity)


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


def _problems(table: Mapping[str, Any]) -> list[str]:
    wrong = [f"unknown key {key!r} (known: {', '.join(_CHECKS)})" for key in table if key not in _CHECKS]
    return wrong + [
        problem for key, check in _CHECKS.items() if key in table for problem in check(table[key])
    ]


def _severity_problems(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ['severity is a table of codes, such as [severity] WB203 = "error"']
    unknown = [f"severity: unknown code {code!r}" for code in value if code not in CODES]
    wrong = {code: severity for code, severity in value.items() if severity not in SEVERITIES}
    return unknown + [
        f"severity.{code}: {severity!r} is none of {', '.join(SEVERITIES)}"
        for code, severity in wrong.items()
    ]


def _coverage_problems(value: Any) -> list[str]:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return [] if fits else [f"min_coverage: {value!r} is no number from 0 to 1"]


def _fail_on_problems(value: Any) -> list[str]:
    return [] if value in FAIL_ON else [f"fail_on: {value!r} is none of {', '.join(FAIL_ON)}"]


_CHECKS: dict[str, Callable[[Any], list[str]]] = {
    "severity": _severity_problems,
    "min_coverage": _coverage_problems,
    "fail_on": _fail_on_problems,
}
