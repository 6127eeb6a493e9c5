"""Text, Markdown, JUnit and JSON of the same reports: golden files, hostile names, sizes.

UPDATE_GOLDEN=1 writes the golden files anew.
"""

import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import HOSTILE, graph, hostile, layer, sample, step

from weightbridge.boundary.globs import glob
from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import finding
from weightbridge.plan import Plan, Unused
from weightbridge.report.render.renderers import RENDERERS, renderer
from weightbridge.report.render.text import render_on
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification

GOLDEN = Path(__file__).parent / "golden"
SUFFIXES = {
    "text": "txt",
    "json": "json",
    "json:lean": "lean.json",
    "markdown": "md",
    "comment": "comment.md",
    "html": "html",
    "svg": "svg",
    "junit": "xml",
    "github": "github.txt",
    "sarif": "sarif",
    "gitlab": "gitlab.json",
}


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
    if format in ("markdown", "comment", "junit"):
        assert "<script" not in text
        assert HOSTILE not in text


@pytest.mark.parametrize("format", ["pdf", "", "TEXT"])
def test_a_format_that_there_is_none_of(format: str) -> None:
    with pytest.raises(UsageError, match="text, json, json:lean, markdown"):
        renderer(format)


def test_the_verdict_comes_first() -> None:
    data = sample().to_json()
    assert renderer("text")(data).startswith("WARN transfer  ")
    assert renderer("markdown")(data).startswith("## weightbridge: WARN transfer\n")
    assert renderer("comment")(data).startswith(
        "<!-- weightbridge:resnet.onnx:target.keras -->\n## weightbridge"
    )


@pytest.mark.parametrize("width", [80, 100, 200])
def test_text_keeps_to_its_width(width: int) -> None:
    wide = replace(sample(), findings=(finding("WB203", "said " * 100, source="very/long/name" * 30),))
    assert max(map(len, renderer("text")(wide.to_json()).splitlines())) <= 100
    for details in ("", "all"):
        text = render_on(wide.to_json(), width, color=False, details=details)
        assert max(map(len, text.splitlines())) <= width


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b" in render_on(sample().to_json(), 80, color=True)
    assert "\x1b" not in render_on(sample().to_json(), 80, color=False)


def test_blocks_that_differ_in_one_detail_are_not_folded_together() -> None:
    text = render_on(sample().to_json(), 200, color=False, details="all")
    assert "conv2_block{1..4}_conv/kernel   layer1.{0..3}.conv.weight" in text
    assert "conv3_block{1..3}_conv/kernel" in text
    assert "conv3_block4_conv/kernel" in text


def test_details_name_every_tensor_and_finding() -> None:
    data = sample().to_json()
    text = render_on(data, 200, color=False, details="all")
    rows = [glob(line.split()[0]) for line in text.splitlines() if line.strip()]
    names = [step["target"] for step in data["steps"]] + [entry["source"] for entry in data["unused"]]
    assert [name for name in names if not any(row.meets(name) for row in rows)] == []
    assert all(found["message"] in text for found in data["findings"])


def test_details_of_one_code() -> None:
    text = render_on(sample().to_json(), 200, color=False, details="WB403")
    behind = text[text.index("Findings (2)") :]
    assert behind.count("warning WB403") == 2
    assert "WB203" not in behind


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


@pytest.mark.parametrize("format", ["markdown", "comment"])
def test_markdown_stays_under_60_kb(format: str) -> None:
    text = renderer(format)(large().to_json())
    assert len(text.encode()) < 60_000
    assert text.count("<details") == text.count("</details>") == (1 if format == "markdown" else 0)


def test_markdown_counts_what_it_leaves_out() -> None:
    assert "4,800 findings more: `--report json=PATH` has them all" in renderer("markdown")(large().to_json())


@pytest.mark.parametrize("format", ["markdown", "comment"])
def test_no_name_becomes_a_link_or_closes_a_comment(format: str) -> None:
    text = renderer(format)(hostile().to_json())
    prose = re.sub(r"`[^`]*`", "", re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE))
    assert "@user" not in prose
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert prose.count("-->") == prose.startswith("<!--")


def suites(report: Report) -> dict[str, ET.Element]:
    root = ET.fromstring(renderer("junit")(report.to_json()))
    assert int(root.get("tests", "")) == len(root.findall(".//testcase"))
    return {suite.get("name", "").rsplit(".", 1)[-1]: suite for suite in root}


def test_junit_has_a_case_for_each_check() -> None:
    found = suites(sample())
    sizes = {name: len(suite) for name, suite in found.items()}
    assert sizes == {"verdict": 1, "findings": 3, "outputs": 1, "controls": 1}
    assert [suite.get("failures") for suite in found.values()] == ["0"] * 4


def test_junit_stays_short_whatever_the_models() -> None:
    root = ET.fromstring(renderer("junit")(large().to_json()))
    assert 1 <= int(root.get("tests", "")) < 60


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
    (case,) = suites(report)["outputs"]
    assert case[0].tag == tag


def test_junit_says_when_nothing_was_compared() -> None:
    (case,) = suites(Report("check", "pass"))["outputs"]
    assert case[0].tag == "skipped"


def test_an_error_is_a_junit_error() -> None:
    found = suites(Report("check", "error", findings=(finding("WB904", "truncated"),)))
    assert found["verdict"].get("errors") == "1"
    assert found["findings"].get("failures") == "1"


def test_optimizer_slots_are_named_in_the_details_alone() -> None:
    report = sample()
    assert report.plan is not None
    slots = tuple(Unused(f"opt/{kind}/{name}", "optimizer") for kind in "mv" for name in ("a", "b_c", "d"))
    data = replace(report, plan=replace(report.plan, unused=slots)).to_json()
    short, full = renderer("text")(data), render_on(data, 100, color=False, details="all")
    assert "6 of the optimizer" in short
    assert "opt/m" not in short
    assert "opt/m/b_c" in full
    assert "opt/v/d" in full
