"""The report's JSON object: its schema, its sums, the same bytes for the same inputs."""

import json
import random
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest
from report_samples import graph, hostile, layer, sample, step, tensor

from weightbridge.errors.diagnostics import finding
from weightbridge.plan import Plan, Unused
from weightbridge.report.document import plain
from weightbridge.report.render.json import render
from weightbridge.report.values import Report
from weightbridge.report.verification import Verification

SCHEMA = json.loads(files("weightbridge.report").joinpath("schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
REPORTS = {
    "full": sample(),
    "hostile": hostile(),
    "empty": Report("inspect", "error", exit_code=4),
    "graph": Report(
        "inspect",
        "pass",
        graph=graph((layer("a", tensors=[tensor("a/kernel")]), layer("b")), [("a", "b", 0)]),
    ),
}


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_reports_are_as_the_schema_says(report: Report) -> None:
    VALIDATOR.validate(json.loads(render(report.to_json())))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "fine"),
        (("coverage", "fraction"), 1.5),
        (("steps", 0, "kind"), "guess"),
        (("steps", 0, "confidence"), None),
        (("findings", 0, "code"), "203"),
        (("findings", 0, "fingerprint"), "x"),
        (("source", "format"), "pickle"),
        (("unused", 0, "reason"), ""),
        (("schema_version",), 2),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_a_wrong_report_is_not(path: tuple[Any, ...], value: Any) -> None:
    data = place = json.loads(render(sample().to_json()))
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert list(VALIDATOR.iter_errors(data))


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_no_part_may_be_missing(key: str) -> None:
    data = sample().to_json()
    del data[key]
    assert list(VALIDATOR.iter_errors(data))


def test_coverage_is_what_the_ledgers_sum_up_to() -> None:
    sizes = {"copy": 10, "transform": 20, "adapt": 30, "fresh": 25, "keep": 15}
    sources = {"copy": ("s/a",), "transform": ("s/b",), "adapt": ("s/a", "s/b"), "fresh": (), "keep": ()}
    steps = tuple(step(f"t/{kind}", *sources[kind], kind=kind, size=size) for kind, size in sizes.items())
    plan = Plan(steps, (Unused("s/c", "declared"), Unused("iterations", "optimizer")))
    covered = Report("check", "pass", plan=plan).to_json()["coverage"]
    assert covered == {
        "parameters": 100, "copied": 10, "transformed": 20, "adapted": 30, "fresh": 25, "kept": 15,
        "fraction": 0.3,
        "source_tensors": 4, "source_tensors_used": 2,
    }  # fmt: skip


def test_no_plan_covers_nothing() -> None:
    assert set(Report("inspect", "pass").to_json()["coverage"].values()) == {0}


def test_order_that_means_nothing_does_not_show() -> None:
    report, shuffle = sample(), random.Random(0)
    assert report.plan
    findings, unused = list(report.findings), list(report.plan.unused)
    shuffle.shuffle(findings)
    shuffle.shuffle(unused)
    evidence = dict(reversed(report.verification.evidence.items()))
    other = replace(report, findings=tuple(findings), plan=replace(report.plan, unused=tuple(unused)),
                    verification=replace(report.verification, evidence=evidence))  # fmt: skip
    assert render(other.to_json()) == render(report.to_json())


def test_steps_stay_in_the_targets_order() -> None:
    report = Report("check", "pass", plan=Plan((step("z", "a"), step("a", "b")), ()))
    assert [one["target"] for one in report.to_json()["steps"]] == ["z", "a"]


def test_the_same_finding_twice_is_said_once() -> None:
    twice = (finding("WB203", "unused", source="a"),) * 2
    assert len(Report("check", "warn", findings=twice).to_json()["findings"]) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((1, (2, None)), [1, [2, None]]),
        ({"b": 1, "a": (np.nan,)}, {"a": [None], "b": 1}),
        (frozenset(("b", "a")), ["a", "b"]),
    ],
    ids=["nan", "inf", "float32", "int64", "bool", "tuple", "mapping", "set"],
)
def test_plain(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_the_text_is_ascii_and_keeps_every_name() -> None:
    text = render(hostile().to_json())
    assert text.isascii()
    assert not any((ord(c) < 32 and c != "\n") or ord(c) == 127 for c in text)
    assert json.loads(text) == hostile().to_json()


def test_numbers_that_are_not_finite_become_null() -> None:
    report = Report(
        "verify", "fail", verification=Verification("actual", ({"name": "y", "ratio": float("inf")},))
    )
    assert report.to_json()["verification"]["outputs"] == [{"name": "y", "ratio": None}]


def test_fingerprints_are_unique_and_know_no_numbers() -> None:
    from weightbridge.errors.diagnostics import finding, fingerprints

    def at(message: str, about: str = "") -> str:
        found = (
            finding("WB403", message, target="a", about="padding"),
            finding("WB403", message, target="a", about=about),
            finding("WB403", "other words", target="a", about=about),
        )
        prints = fingerprints(found)
        assert len(set(prints)) == 3
        return "".join(prints)

    assert at("of 3 places") == at("of 41 places")
    assert at("of 3 places", "epsilon") != at("of 3 places", "padding")
