"""The verdict of a report, from its findings, its coverage and what was compared.

error > fail > vacuous > inconclusive > warn > pass
"""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.boundary.options import FailOn, Options
from weightbridge.errors import WeightbridgeError
from weightbridge.errors.diagnostics import CODES, SEVERITIES, Finding, finding, sorted_findings
from weightbridge.report.asked import asked_again, judged_as_before
from weightbridge.report.baseline.report import restored, with_baseline
from weightbridge.report.coverage import Coverage, coverage
from weightbridge.report.policy import with_policy, with_severities
from weightbridge.report.values import EXIT_CODES, ORDER, Report, Verdict
from weightbridge.report.verification import Verification
from weightbridge.report.words import percent

NOT_RUN = Verification()
VERIFICATION_FAILED = ("WB401", "WB402", "WB405")
# What an error of these codes means, whatever makes a command fail otherwise.
ALWAYS: dict[str, Verdict] = {
    **dict.fromkeys((code for code in CODES if code.startswith("WB9")), "error"),
    **dict.fromkeys(VERIFICATION_FAILED, "fail"),
    "WB502": "vacuous",
    "WB504": "inconclusive",
}


def judge(report: Report, options: Options) -> Report:
    """The report under the options' policy: severities, the coverage gate, the verdict and its exit code.

    A verdict `error` stays.
    """
    options = with_policy(judged_as_before(options, report.asked))
    report = restored(report, options)
    gates = (*_coverage_gate(report, options), *_comparison_gate(report))
    severities = options.severities or {}
    report = with_baseline(report, with_severities((*report.findings, *gates), severities), options)
    findings = sorted_findings(with_severities(report.findings, severities))
    is_idle = coverage(report.plan).is_idle
    verdict = (
        "error"
        if report.verdict == "error"
        else verdict_of(findings, report.verification, options.fail_on, is_idle)
    )
    exit_code = report.exit_code if report.verdict == "error" and report.exit_code else EXIT_CODES[verdict]
    is_unread = report.verdict == "error" and not report.asked
    asked = {} if is_unread else asked_again(report.asked, options)
    judged = replace(report, findings=findings, verdict=verdict, exit_code=exit_code, asked=asked)
    return replace(judged, pair=options.pair or report.pair)


def verdict_of(
    findings: tuple[Finding, ...],
    verification: Verification = NOT_RUN,
    fail_on: FailOn = "error",
    is_idle: bool = False,
) -> Verdict:
    """The worst that any finding, or what was compared in vain, means.

    Whatever `fail_on` says, a model that cannot be read is an error, a failed verification a failure, and one
    that proves nothing no pass. is_idle: the plan uses nothing of the source, of which WB207 speaks.
    """
    verdicts = [_meaning(finding, fail_on, is_idle) for finding in findings]
    if verification.evidence.get("inconclusive"):
        verdicts.append("inconclusive")
    return min(verdicts, key=ORDER.index, default="pass")


def failed(command: str, error: WeightbridgeError, targets: Sequence[str] = ()) -> Report:
    """The report of a command that an error has ended: verdict `error`, and the error as its finding.

    targets: the paths on the target's side, so that the finding says which side is at fault.
    """
    if not error.code:
        return Report(command, "error", exit_code=error.exit_code, refused=str(error))
    at_target = any(error.where == path or error.where.startswith(f"{path}: ") for path in targets)
    side = {"target" if at_target else "source": error.where}
    is_named = not error.where or error.message.startswith(error.where)
    message = error.message if is_named else f"{error.where}: {error.message}"
    cause = finding(error.code, message, fix=error.fix, **side)
    return Report(command, "error", findings=(cause,), exit_code=error.exit_code)


def _meaning(found: Finding, fail_on: FailOn, is_idle: bool) -> Verdict:
    if found.severity == "error" and found.code in ALWAYS:
        return ALWAYS[found.code]
    if found.severity == "error" and found.code == "WB207" and is_idle:
        return "vacuous"
    if fail_on != "never" and SEVERITIES.index(found.severity) >= SEVERITIES.index(fail_on):
        return "fail"
    return "pass" if found.severity == "note" else "warn"


def _coverage_gate(report: Report, options: Options) -> tuple[Finding, ...]:
    """WB207 where the plan transfers nothing, or less than asked for.

    Where outputs were compared, they decide and not what was matched.
    """
    if report.command == "verify" and report.verification.outputs:
        return ()
    if report.command == "convert" and report.source is not None and not report.source.tensors:
        return ()  # nothing was there to be transferred: what the target has are numbers of its own
    covered = coverage(report.plan)
    is_said = any(found.code == "WB207" for found in report.findings)
    if is_said or not covered.parameters:
        return ()
    exact = max(options.min_coverage, options.min_exact)
    if covered.fraction < exact or covered.is_idle:
        return (_gate(_too_little(covered, exact)),)
    return _filled_gate(report, covered, options)


def _filled_gate(report: Report, covered: Coverage, options: Options) -> tuple[Finding, ...]:
    """Nothing where WB202 is an error, as it says the same."""
    is_said = (options.severities or {}).get("WB202", "error") == "error"
    if is_said or not options.min_filled:
        return ()
    left = _undeclared(report)
    if left <= covered.parameters * (1 - options.min_filled):
        return ()
    return (_gate(_too_open(covered, left, options.min_filled)),)


def _gate(message: str) -> Finding:
    return finding("WB207", message, fix="Look at the unmatched tensors, and map those that belong together")


def _too_little(covered: Coverage, least: float) -> str:
    counts = f"{covered.exact:,} of {covered.parameters:,} parameters ({percent(covered.fraction)})"
    got = f"{counts} of the target get a value from the source"
    if covered.is_idle:
        return f"nothing is transferred: {got}"
    adapted = f" ({covered.adapted:,} more are adapted)" if covered.adapted else ""
    return f"{got} exactly{adapted}, at least {percent(least)} is asked for"


def _undeclared(report: Report) -> int:
    """Parameters of the target that get no value, and were not declared fresh."""
    if not any(found.code == "WB202" for found in report.findings):
        return 0
    from weightbridge.report.digest.unmatched import unmatched  # few reports need it

    return sum(step["size"] for steps in unmatched(report.to_json()).values() for step in steps)


def _too_open(covered: Coverage, left: int, least: float) -> str:
    filled = covered.parameters - left
    counts = f"{filled:,} of {covered.parameters:,} parameters ({percent(filled / covered.parameters)})"
    return f"{counts} of the target get a value or are declared fresh, at least {percent(least)} is asked for"


def _comparison_gate(report: Report) -> tuple[Finding, ...]:
    """WB504 where a verification compared nothing: that is never a pass."""
    compared = report.verification.outputs or report.verification.layers
    is_said = any(
        found.code in ("WB502", "WB504") or found.code in VERIFICATION_FAILED for found in report.findings
    )
    if report.command != "verify" or report.verdict == "error" or compared or is_said:
        return ()
    return (
        finding(
            "WB504",
            "no output and no layer was compared",
            fix="Give two models that have outputs, layers or probes in common",
        ),
    )
