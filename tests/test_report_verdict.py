"""The verdict: error > fail > vacuous > inconclusive > warn > pass, and the exit codes that follow."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from report_samples import step

from weightbridge.boundary.options import FailOn, Options
from weightbridge.errors import Corrupt, OutputError, RunError, UsageError, WeightbridgeError
from weightbridge.errors.diagnostics import Finding, Severity, finding, with_severity
from weightbridge.plan import Plan
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verdict import failed, judge, verdict_of
from weightbridge.report.verification import Verification


def found(*codes: str) -> tuple[Finding, ...]:
    return tuple(finding(code, "said") for code in codes)


@pytest.mark.parametrize(
    ("codes", "verdict", "exit_code"),
    [
        ((), "pass", 0),
        (("WB206",), "pass", 0),
        (("WB203",), "warn", 0),
        (("WB203", "WB504"), "inconclusive", 3),
        (("WB504", "WB502"), "vacuous", 3),
        (("WB502", "WB202"), "fail", 1),
        (("WB401",), "fail", 1),
        (("WB202", "WB904"), "error", 4),
        (("WB501",), "fail", 1),
    ],
    ids=lambda value: "+".join(value) or "none" if isinstance(value, tuple) else None,
)
def test_the_worst_finding_decides(codes: Sequence[str], verdict: str, exit_code: int) -> None:
    for order in (codes, codes[::-1]):
        report = judge(Report("check", "pass", findings=found(*order)), Options())
        assert (report.verdict, report.exit_code) == (verdict, exit_code)


@pytest.mark.parametrize(
    ("code", "fail_on", "verdict"),
    [
        ("WB203", "warning", "fail"),
        ("WB206", "warning", "pass"),
        ("WB202", "never", "warn"),
        ("WB203", "never", "warn"),
        ("WB401", "never", "fail"),
        ("WB502", "never", "vacuous"),
        ("WB905", "never", "error"),
    ],
)
def test_fail_on(code: str, fail_on: FailOn, verdict: str) -> None:
    assert judge(Report("check", "pass", findings=found(code)), Options(fail_on=fail_on)).verdict == verdict


def test_what_was_compared_in_vain_is_no_pass() -> None:
    in_vain = Verification("actual", ({"name": "y"},), (), {"inconclusive": ["y is constant"]})
    assert verdict_of((), in_vain) == "inconclusive"
    assert verdict_of((), Verification("actual", ({"name": "y"},), (), {"inconclusive": []})) == "pass"


def test_a_verification_without_comparisons_is_inconclusive() -> None:
    report = judge(Report("verify", "pass"), Options())
    assert (report.verdict, report.exit_code, [f.code for f in report.findings]) == (
        "inconclusive",
        3,
        ["WB504"],
    )
    compared = Report("verify", "pass", verification=Verification("actual", ({"name": "y"},)))
    assert judge(compared, Options()).verdict == "pass"


@pytest.mark.parametrize(
    ("kinds", "least", "codes"),
    [
        (("copy", "copy"), 1.0, []),
        (("copy", "fresh"), 0.5, []),
        (("copy", "fresh"), 0.6, ["WB207"]),
        (("keep", "fresh"), 0.0, ["WB207"]),
        ((), 1.0, []),
    ],
    ids=["all", "enough", "too-little", "nothing", "no-tensors"],
)
def test_the_coverage_gate(kinds: Sequence[str], least: float, codes: list[str]) -> None:
    plan = Plan(
        tuple(step(f"t{i}", *(("s",) if kind == "copy" else ()), kind=kind) for i, kind in enumerate(kinds)),
        (),
    )
    report = judge(Report("check", "pass", plan=plan), Options(min_coverage=least))
    assert [f.code for f in report.findings] == codes
    assert judge(report, Options(min_coverage=least)) == report, "judging twice says nothing twice"


@pytest.mark.parametrize(
    ("severity", "verdict"), [("error", "fail"), ("warning", "warn"), ("note", "pass"), ("off", "pass")]
)
def test_a_policy_changes_severities(tmp_path: Path, severity: str, verdict: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'[severity]\nWB203 = "{severity}"\n')
    report = judge(Report("check", "pass", findings=found("WB203")), with_policy(Options(policy=policy)))
    assert (report.verdict, len(report.findings)) == (verdict, 0 if severity == "off" else 1)


@pytest.mark.parametrize("severity", ["warning", "note"])
def test_a_verification_that_a_policy_plays_down_may_pass(severity: Severity) -> None:
    assert verdict_of((with_severity(found("WB401")[0], severity),)) in ("warn", "pass")


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (Corrupt("truncated", where="b.h5"), "WB904", 4),
        (OutputError("disk full", where="out.keras"), "WB906", 5),
        (RunError("cannot be run", where="b.h5"), "WB107", 1),
        (UsageError("wrong"), None, 2),
    ],
    ids=["corrupt", "output", "run", "usage"],
)
def test_an_error_is_a_report(error: WeightbridgeError, code: str | None, exit_code: int) -> None:
    report = failed("check", error, ("b.h5",))
    assert (report.verdict, report.exit_code, [f.code for f in report.findings]) == (
        "error",
        exit_code,
        [code] if code else [],
    )
    assert judge(report, Options(fail_on="never")).exit_code == exit_code


@pytest.mark.parametrize(
    ("where", "side"),
    [("b.h5", "target"), ("b.h5: conv/kernel", "target"), ("a.h5", "source"), ("b.h5.keras", "source")],
)
def test_an_error_says_which_side(where: str, side: str) -> None:
    (only,) = failed("check", Corrupt("truncated", where=where), ("b.h5",)).findings
    assert {"source": only.source, "target": only.target} == {"source": "", "target": "", side: where}
