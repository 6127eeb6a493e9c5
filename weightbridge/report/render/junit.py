"""The report as JUnit XML: a case for each check, not for each tensor.

The verdict, each code, each comparison of an output, the layers, each stage, the gate. What was not done is
skipped, with the reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from weightbridge.boundary.records import dataclass
from weightbridge.report.digest import Digest, digest
from weightbridge.report.escape import visible
from weightbridge.report.render import text
from weightbridge.report.words import said

Json = Mapping[str, Any]
Outcome = Literal["passed", "failure", "error", "skipped"]
MOST = 40  # comparisons with a case each; more of them are told in one
SHOWN = 20  # messages of one code
BAD = ("differs", "non-finite")
FAILING = frozenset({"fail", "vacuous", "inconclusive"})


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. `text`: why it failed or was skipped, or what it says where it passed."""

    name: str
    outcome: Outcome = "passed"
    text: str = ""
    body: str = ""


def render(report: Json) -> str:
    """Valid XML 1.0 whatever the names in the file are; no times."""
    return document([(f"weightbridge.{report['command']}", report)])


def document(reports: Iterable[tuple[str, Json]]) -> str:
    """The suites of reports, each under its name."""
    suites = [
        (f"{name}.{part}", list(cases(report, made)))
        for name, report in reports
        for made in (digest(report),)
        for part, cases in SUITES
    ]
    root = Element("testsuites", _counts("weightbridge", [case for _, cases in suites for case in cases]))
    for name, cases in suites:
        if cases:
            _add_suite(root, name, cases)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _verdict(report: Json, made: Digest) -> Iterator[Case]:
    """Fails exactly where the command does, with the whole text report."""
    outcome: Outcome = "passed"
    if made.exit_code or made.verdict in FAILING:
        outcome = "error" if made.verdict == "error" else "failure"
    body = text.render(report) if outcome != "passed" else ""
    yield Case("verdict", outcome, f"{made.verdict.upper()}: {made.why}", body)


def _codes(report: Json, made: Digest) -> Iterator[Case]:
    """Errors fail; so do warnings where nothing but warnings can have made the report fail."""
    fails = "error" if made.verdict != "fail" or made.counts["error"] else "warning"
    for group in made.groups:
        name, told = f"{group.code} {group.name}", f"{group.severity}: {group.text}"
        if group.severity == fails and made.exit_code:
            body = "\n".join(visible(found["message"]) for found in group.findings[:SHOWN])
            yield Case(name, "failure", told, body)
        else:
            yield Case(name, "passed", told)


def _outputs(report: Json, made: Digest) -> Iterator[Case]:
    outputs = report["verification"]["outputs"]
    if not outputs and not report["verification"]["layers"]:
        yield Case("comparison", "skipped", "; ".join(made.proven) or "nothing was run")
    yield from (_output(record, made) for record in outputs[:MOST])
    rest = outputs[MOST:]
    if rest:
        counts = Counter(record.get("status") for record in rest)
        fails = made.exit_code and any(counts[status] for status in BAD)
        told = f"{len(rest):,} more: {counts['equal']:,} equal"
        yield Case("further outputs", "failure" if fails else "passed", told)


def _output(record: Json, made: Digest) -> Case:
    name = " ".join(said(record[key]) for key in ("name", "probe") if record.get(key))
    told = {key: value for key, value in record.items() if key not in ("name", "probe")}
    return Case(f"output {name}", _outcome(record, made), said(told))


def _outcome(record: Json, made: Digest) -> Outcome:
    """What did not pass fails, or is skipped where it proves nothing, as a dead output."""
    if record.get("passed", True):
        return "passed"
    return "failure" if record.get("status") in BAD and made.exit_code else "skipped"


def _layers(report: Json, made: Digest) -> Iterator[Case]:
    """All in one case, which names the first that differs."""
    layers = report["verification"]["layers"]
    if not layers:
        return
    equal = sum(record.get("status") == "equal" for record in layers)
    told = f"{equal:,} of {len(layers):,} layers equal"
    if made.depth is None:
        yield Case("layers", "passed", told)
        return
    fails: Outcome = "failure" if made.exit_code else "skipped"
    yield Case("layers", fails, f"{told}; the first that differs is {made.depth.first.first}")


def _controls(report: Json, made: Digest) -> Iterator[Case]:
    """A control that should fail and passed is a failure; one that was not run proves nothing."""
    outcomes: dict[Any, Outcome] = {"skipped": "skipped", "passed": "failure"}
    for control in report["verification"]["evidence"].get("controls") or ():
        is_record = isinstance(control, Mapping)
        name = said(control.get("name")) if is_record else said(control)
        result = outcomes.get(control.get("result") if is_record else None, "passed")
        outcome: Outcome = "skipped" if result == "failure" and not made.exit_code else result
        yield Case(f"control {name}", outcome, said(control))


def _stages(report: Json, made: Digest) -> Iterator[Case]:
    for row in made.stages:
        places = f" at {', '.join(row.source_at)}" if row.source_at else ""
        told = f"{row.layers:,} layers ({row.first} .. {row.last}) from {row.source_layers:,}{places}"
        yield Case(f"stage {row.stage}", "passed", f"{told}, {row.contract}")


SUITES: tuple[tuple[str, Callable[[Json, Digest], Iterable[Case]]], ...] = (
    ("verdict", _verdict),
    ("findings", _codes),
    ("outputs", _outputs),
    ("layers", _layers),
    ("controls", _controls),
    ("stages", _stages),
)


def _add_suite(root: Element, name: str, cases: list[Case]) -> None:
    suite = SubElement(root, "testsuite", _counts(name, cases))
    for case in cases:
        element = SubElement(suite, "testcase", {"classname": visible(name), "name": visible(case.name)})
        told = visible(case.text)
        if case.outcome != "passed":
            SubElement(element, case.outcome, {"message": told}).text = case.body or None
        elif told:
            SubElement(element, "system-out").text = told


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
