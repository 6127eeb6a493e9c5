"""The report as JUnit XML: every step, finding, comparison and gate is a test case.

What was not done is skipped, with the reason.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from weightbridge.report.escape import visible
from weightbridge.report.render.sections import said
from weightbridge.report.render.summary import coverage_lines, headline

Outcome = Literal["passed", "failure", "error", "skipped"]
ABSENT = {"fresh": "to be initialised: no source", "keep": "the target's own value stays"}


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `text`: why it failed or was skipped, or what it says where it passed."""

    name: str
    outcome: Outcome = "passed"
    text: str = ""


def render(report: Mapping[str, Any]) -> str:
    """Valid XML 1.0 whatever the names in the file are; no times."""
    suites = [(name, list(cases(report))) for name, cases in SUITES]
    root = Element("testsuites", _counts("weightbridge", [case for _, cases in suites for case in cases]))
    for name, cases in suites:
        if cases:
            _add_suite(root, f"weightbridge.{report['command']}.{name}", cases)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _verdict(report: Mapping[str, Any]) -> Iterator[Case]:
    outcome: Outcome = {"pass": "passed", "warn": "passed", "error": "error"}.get(
        report["verdict"], "failure"
    )  # type: ignore[assignment]
    yield Case("verdict", outcome, "; ".join((headline(report), *map(str.strip, coverage_lines(report)))))


def _findings(report: Mapping[str, Any]) -> Iterator[Case]:
    """Errors fail; so do warnings where nothing but warnings can have made the report fail."""
    severities = {found["severity"] for found in report["findings"]}
    fails = {"error"} if report["verdict"] != "fail" or "error" in severities else {"warning"}
    for found in report["findings"]:
        place = " <- ".join(name for name in (found["target"], found["source"]) if name)
        name = f"{found['code']} {found['name']} {place or found['fingerprint']}"
        text = f"{found['severity']}: {found['message']}{' -> ' + found['fix'] if found['fix'] else ''}"
        yield Case(
            name,
            "failure"
            if found["severity"] in fails and report["verdict"] not in ("pass", "warn")
            else "passed",
            text,
        )


def _steps(report: Mapping[str, Any]) -> Iterator[Case]:
    for step in report["steps"]:
        absent = ABSENT.get(step["kind"])
        how = f"{step['kind']} {step['transform']}".strip()
        sure = f"confidence {said(step['confidence'])}"
        text = f"{how} of {', '.join(step['sources'])} ({step['contract']}, {sure})"
        yield Case(step["target"], "skipped", absent) if absent else Case(step["target"], "passed", text)


def _unused(report: Mapping[str, Any]) -> Iterator[Case]:
    return (Case(one["source"], "skipped", f"unused: {one['reason']}") for one in report["unused"])


def _verification(report: Mapping[str, Any]) -> Iterator[Case]:
    verification = report["verification"]
    decides = report["verdict"] not in ("pass", "warn")
    yield from (
        _comparison("output", record, record.get("status") in ("differs", "non-finite"))
        for record in verification["outputs"]
    )
    yield from (_comparison("layer", record, decides) for record in verification["layers"])
    for control in verification["evidence"].get("controls") or ():
        yield _control(control)
    if not verification["outputs"] and not verification["layers"]:
        yield Case("comparison", "skipped", "no model was run, so no output and no layer was compared")


def _comparison(what: str, record: Mapping[str, Any], fails: bool) -> Case:
    """One that did not pass fails, or is skipped where it proves nothing.

    That is a dead output, or a layer though the outputs agree.
    """
    name = " ".join(said(record[key]) for key in ("name", "source", "target", "probe") if record.get(key))
    text = said(
        {key: value for key, value in record.items() if key not in ("name", "source", "target", "probe")}
    )
    return Case(
        f"{what} {name}", "passed" if record.get("passed", True) else "failure" if fails else "skipped", text
    )


def _control(control: Any) -> Case:
    """A negative control that was not run proves nothing, and says so."""
    is_record = isinstance(control, Mapping)
    name = f"control {said(control.get('name')) if is_record else said(control)}"
    result = control.get("result") if is_record else None
    outcomes: dict[Any, Outcome] = {"skipped": "skipped", "passed": "failure"}
    return Case(name, outcomes.get(result, "passed"), said(control))


SUITES: tuple[tuple[str, Callable[[Mapping[str, Any]], Iterable[Case]]], ...] = (
    ("verdict", _verdict),
    ("findings", _findings),
    ("verification", _verification),
    ("steps", _steps),
    ("unused", _unused),
)


def _add_suite(root: Element, name: str, cases: list[Case]) -> None:
    suite = SubElement(root, "testsuite", _counts(name, cases))
    for case in cases:
        element = SubElement(suite, "testcase", {"classname": visible(name), "name": visible(case.name)})
        text = visible(case.text)
        if case.outcome != "passed":
            SubElement(element, case.outcome, {"message": text})
        elif text:
            SubElement(element, "system-out").text = text


def _counts(name: str, cases: list[Case]) -> dict[str, str]:
    counted = {plural: sum(case.outcome == outcome for case in cases) for plural, outcome in PLURALS}
    return {
        "name": visible(name),
        "tests": str(len(cases)),
        **{key: str(count) for key, count in counted.items()},
    }


PLURALS: tuple[tuple[str, Outcome], ...] = (
    ("failures", "failure"),
    ("errors", "error"),
    ("skipped", "skipped"),
)
