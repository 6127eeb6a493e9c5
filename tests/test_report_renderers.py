"""Text, Markdown, JUnit and JSON of the same reports: golden files, hostile names, sizes.

UPDATE_GOLDEN=1 writes the golden files anew.
"""

import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import HOSTILE, graph, hostile, layer, sample, step

from weightbridge.diagnostics import finding
from weightbridge.errors import UsageError
from weightbridge.options import Options
from weightbridge.plan import Plan, Unused
from weightbridge.report.render.renderers import RENDERERS, renderer
from weightbridge.report.render.text import render_on
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.verification import Verification

GOLDEN = Path(__file__).parent / "golden"
SUFFIXES = {"text": "txt", "json": "json", "markdown": "md", "junit": "xml"}


@pytest.mark.parametrize("format", RENDERERS)
def test_golden(format: str) -> None:
    text = renderer(format)(sample().to_json()).replace(sample().to_json()["tool"]["version"], "VERSION")
    path = GOLDEN / f"transfer.{SUFFIXES[format]}"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("format", RENDERERS)
def test_hostile_names_are_shown_and_do_nothing(format: str) -> None:
    text = renderer(format)(hostile().to_json())
    text.encode("utf-8")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "red" in text
    if format in ("markdown", "junit"):
        assert "<script" not in text
        assert HOSTILE not in text


@pytest.mark.parametrize("format", ["sarif", "html", "github", "gitlab", "", "TEXT"])
def test_a_format_that_there_is_none_of(format: str) -> None:
    with pytest.raises(UsageError, match="text, json, markdown, junit"):
        renderer(format)


def test_the_verdict_comes_first() -> None:
    data = sample().to_json()
    assert renderer("text")(data).startswith("WARN transfer: ")
    assert renderer("markdown")(data).startswith("## weightbridge: WARN transfer: ")


def test_text_keeps_to_its_width() -> None:
    wide = replace(sample(), findings=(finding("WB203", "said " * 100, source="very/long/name" * 30),))
    assert max(map(len, renderer("text")(wide.to_json()).splitlines())) <= 120
    assert max(map(len, render_on(wide.to_json(), 60, color=False).splitlines())) <= 60


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_column_is_lost_where_it_is_narrow(width: int) -> None:
    text = render_on(sample().to_json(), width, color=False)
    table = text[text.index("Steps (") : text.index("Unused source")]
    assert max(map(len, text.splitlines())) <= width
    assert all(line[-1].isalnum() for line in table.splitlines() if line.startswith("conv")), (
        "the last column, n, is there"
    )


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" in render_on(sample().to_json(), 80, color=True)
    assert "\x1b" not in render_on(sample().to_json(), 80, color=False)


def test_blocks_that_differ_in_one_detail_are_not_folded_together() -> None:
    text = renderer("markdown")(sample().to_json())
    assert "`conv2_block{1..4}_conv/kernel` | `layer1.{0..3}.conv.weight`" in text
    assert "`conv3_block{1..3}_conv/kernel`" in text
    assert "`conv3_block4_conv/kernel`" in text


def test_alike_findings_are_one_with_their_count() -> None:
    text = renderer("text")(sample().to_json())
    assert "WB403 hyperparameter-differs (2 alike): bn{1,2} <- bn{1,2}" in text
    assert "epsilon of bn{1,2} is 1e-05" in text


def test_findings_with_other_numbers_are_not() -> None:
    found = tuple(finding("WB403", f"bn{i}: epsilon {i}e-5", source=f"bn{i}") for i in (1, 2))
    assert "alike" not in renderer("text")(Report("check", "warn", findings=found).to_json())


def large() -> Report:
    names = [f"{chr(97 + i % 26)}{i * 7919 % 10007}_x{i * i % 977}/kernel" for i in range(5000)]
    findings = tuple(
        finding("WB203", f"{name}: unused {'x' * (i % 50)}", source=name) for i, name in enumerate(names)
    )
    layers = [layer(name, output_shape=[i]) for i, name in enumerate(names)]
    plan = Plan(
        tuple(step(name, name, cost=str(i)) for i, name in enumerate(names)),
        tuple(Unused(name + "|", "declared") for name in names),
    )
    return Report("check", "warn", plan=plan, findings=findings, graph=graph(layers))


def test_markdown_stays_under_60_kb_and_counts_what_it_leaves_out() -> None:
    text = renderer("markdown")(large().to_json())
    assert len(text.encode()) < 60_000
    assert "findings more: `--report json=PATH` has them all" in text
    assert "rows more: `--report json=PATH` has them all" in text
    assert text.count("<details>") == text.count("</details>") == 3


def test_long_text_tables_are_cut_and_say_so() -> None:
    assert "3,000 rows more: --report json=PATH has them all" in renderer("text")(large().to_json())


def suites(report: Report) -> dict[str, ET.Element]:
    root = ET.fromstring(renderer("junit")(report.to_json()))
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
    return {suite.get("name", "").rsplit(".", 1)[-1]: suite for suite in root}


def test_junit_counts_every_step_finding_and_comparison() -> None:
    report, found = sample(), suites(sample())
    assert report.plan
    sizes = {name: len(suite) for name, suite in found.items()}
    assert sizes == {
        "verdict": 1,
        "findings": 4,
        "verification": 2,
        "steps": len(report.plan.steps),
        "unused": 2,
    }
    skipped = {
        case.get("name"): case.find("skipped").get("message")
        for case in found["steps"]
        if case.find("skipped") is not None
    }  # type: ignore[union-attr]
    assert skipped == {"head/bias": "to be initialised: no source", "counter": "the target's own value stays"}
    assert [suite.get("failures") for suite in found.values()] == ["0"] * 5


@pytest.mark.parametrize(
    ("code", "fail_on", "failing"),
    [
        ("WB202", "error", 1),
        ("WB203", "error", 0),
        ("WB203", "warning", 1),
        ("WB202", "never", 0),
        ("WB502", "error", 1),
    ],
)
def test_junit_fails_where_the_command_fails(code: str, fail_on: str, failing: int) -> None:
    report = judge(
        Report("check", "pass", findings=(finding(code, "said", target="a"),)), Options(fail_on=fail_on)
    )  # type: ignore[arg-type]
    found = suites(report)
    assert [suite.get("failures") for suite in (found["verdict"], found["findings"])] == [str(failing)] * 2


@pytest.mark.parametrize(
    ("record", "verdict", "tag"),
    [
        ({"name": "y", "status": "equal", "passed": True}, "pass", "system-out"),
        ({"name": "y", "status": "differs", "passed": False}, "fail", "failure"),
        ({"name": "y", "status": "zero-energy", "passed": False}, "inconclusive", "skipped"),
    ],
    ids=["equal", "differs", "in-vain"],
)
def test_junit_comparisons(record: dict[str, object], verdict: str, tag: str) -> None:
    report = Report("verify", verdict, verification=Verification("actual", (record,)))  # type: ignore[arg-type]
    (case,) = suites(report)["verification"]
    assert case[0].tag == tag


def test_junit_says_when_nothing_was_compared() -> None:
    (case,) = suites(Report("check", "pass"))["verification"]
    assert case[0].tag == "skipped"


def test_an_error_is_a_junit_error() -> None:
    found = suites(Report("check", "error", findings=(finding("WB904", "truncated"),)))
    assert found["verdict"].get("errors") == "1"
    assert found["findings"].get("failures") == "1"


def test_optimizer_slots_are_one_line_but_for_details() -> None:
    from dataclasses import replace

    from weightbridge.plan import Unused
    from weightbridge.report.render.text import render as text

    report = sample()
    assert report.plan is not None
    slots = tuple(Unused(f"opt/{kind}/{name}", "optimizer") for kind in "mv" for name in ("a", "b_c", "d"))
    data = replace(report, plan=replace(report.plan, unused=slots)).to_json()
    short, full = text(data), text(data, details=True)
    assert "the optimizer's slots" in short
    assert "opt/m" not in short
    assert "opt/m" in full
    assert "opt/v" in full
