"""What CI systems read: GitHub's annotations, SARIF and GitLab's code quality, each by its own rules."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from report_samples import HOSTILE, hostile, sample

from weightbridge.errors.diagnostics import CODES, finding
from weightbridge.plan.file import dumps
from weightbridge.report.pairs import PairsReport
from weightbridge.report.render.renderers import renderer
from weightbridge.report.values import ModelSummary, Report

COMMAND = re.compile(r"^::(error|warning|notice) ([a-z]+=[^:,\r\n]+)(,[a-z]+=[^:,\r\n]+)*::[^\r\n]+$")
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "sarif_as_github_reads_it.json").read_text())
OASIS = jsonschema.Draft4Validator(
    json.loads((Path(__file__).parent / "schemas" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")),
    format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER,
)
REPORTS = {
    "full": sample(),
    "hostile": hostile(),
    "nothing": Report("check", "pass"),
    "error": Report("check", "error", findings=(finding("WB904", "truncated", source="/abs/a.h5"),)),
}


def many(codes: int, each: int = 1) -> Report:
    found = tuple(
        finding(code, f"the {i}th", source=f"layer{i}") for code in list(CODES)[:codes] for i in range(each)
    )
    return replace(sample(), findings=found)


def rendered(format: str, report: Report) -> Any:
    return json.loads(renderer(format)(report.to_json()))


def model(path: str, format: str = "onnx") -> ModelSummary:
    return ModelSummary(path, format, "", "ab", None, 1, 1, 8)


@pytest.mark.parametrize("report", [*REPORTS.values(), many(3), many(30, 4)])
def test_annotations_are_workflow_commands(report: Report) -> None:
    lines = renderer("github")(report.to_json()).splitlines()
    assert 1 <= len(lines) <= 10
    assert [line for line in lines if not COMMAND.match(line)] == []


def test_annotations_are_worst_first_and_say_what_is_left_out() -> None:
    lines = renderer("github")(many(30).to_json()).splitlines()
    levels = [line[2:].split(" ")[0] for line in lines[:9]]
    assert levels == sorted(levels, key=("error", "warning", "notice").index)
    assert "21 codes more: see the summary" in lines[-1]


def test_signs_that_mean_something_are_escaped() -> None:
    report = Report("check", "fail", target=model("a,b:c.onnx"), findings=(finding("WB202", "50 %\nof it"),))
    line = renderer("github")(report.to_json())
    assert line == "::error file=a%2Cb%3Ac.onnx,title=WB202 unmatched-target::50 %25\\x0aof it\n"


@pytest.mark.parametrize("path", ["/abs/a.onnx", "../a.onnx", "C:\\a.onnx", "", "a\nb.onnx"])
def test_no_annotation_points_outside_the_repository(path: str) -> None:
    report = Report("check", "fail", source=model(path), findings=(finding("WB202", "said"),))
    assert "file=" not in renderer("github")(report.to_json())


@pytest.mark.parametrize("report", [*REPORTS.values(), many(30, 4)])
def test_sarif_is_valid_and_each_result_has_a_place(report: Report) -> None:
    data = rendered("sarif", report)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    OASIS.validate(data)
    (run,) = data["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(report.findings)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri
        assert not uri.startswith(("/", ".."))
        assert ":" not in uri
    prints = [result["partialFingerprints"]["weightbridge/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_of_several_pairs_is_one_run() -> None:
    """GitHub refuses a file with two runs of one tool and category."""
    reports = tuple(replace(report, pair=name) for name, report in REPORTS.items())
    data = json.loads(renderer("sarif")(PairsReport(reports, "weightbridge.toml").to_dict()))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    OASIS.validate(data)
    (run,) = data["runs"]
    assert len(run["results"]) == sum(len(report.findings) for report in reports)
    prints = [result["partialFingerprints"]["weightbridge/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    "change", [{"level": "fatal"}, {"message": {}}, {"ruleIndex": -2}, {"place": 1}], ids=str
)
def test_the_schema_refuses_what_is_no_sarif(change: dict[str, Any]) -> None:
    data = rendered("sarif", sample())
    data["runs"][0]["results"][0].update(change)
    assert not OASIS.is_valid(data)


def test_sarif_keeps_the_worst_of_too_many() -> None:
    found = tuple(finding("WB203", f"unused {i}", source=f"s{i}") for i in range(6000))
    report = replace(sample(), findings=(*found, finding("WB202", "no source", target="t")))
    results = rendered("sarif", report)["runs"][0]["results"]
    assert len(results) == 5000
    assert results[0]["ruleId"] == "WB202"


def test_names_do_nothing_in_a_message() -> None:
    for format in ("sarif", "gitlab"):
        assert HOSTILE not in json.dumps(rendered(format, hostile()), ensure_ascii=False)


def test_a_finding_lies_at_its_step_in_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report = sample()
    assert report.plan
    (tmp_path / "plans").mkdir()
    path = tmp_path / "plans" / "p.json"
    path.write_text(dumps(report.plan))
    at = (finding("WB303", "a head", target="head/kernel"), finding("WB403", "epsilon", target="bn"))
    asked = {"options": {**report.asked["options"], "plan": "plans/p.json"}}
    planned = replace(report, findings=at, asked=asked)
    lines = path.read_text().splitlines()
    for name, place in (("head/kernel", "head/kernel"), ("bn", "bn/gamma")):
        results = {r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: r for r in
                   rendered("sarif", planned)["runs"][0]["results"]}  # fmt: skip
        spot = results[name]["locations"][0]["physicalLocation"]
        assert spot["artifactLocation"]["uri"] == "plans/p.json"
        assert f'"target": "{place}"' in lines[spot["region"]["startLine"] - 1]
    path.unlink()
    assert rendered("sarif", planned)["runs"][0]["results"][0]["locations"]


@pytest.mark.parametrize("report", [*REPORTS.values(), many(30, 4)])
def test_gitlab_has_what_it_needs(report: Report) -> None:
    entries = rendered("gitlab", report)
    assert len(entries) == len(report.findings)
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)
    for entry in entries:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= set(entry)
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert not entry["location"]["path"].startswith(("/", "."))
        assert entry["location"]["lines"]["begin"] >= 1
