"""A saved report is read back as it was, and a file that is none is refused with all its problems."""

import json
from pathlib import Path
from typing import Any

import pytest
from report_samples import graph, hostile, layer, sample, tensor

from weightbridge.errors import UsageError
from weightbridge.report.load import load_report
from weightbridge.report.render.json import render
from weightbridge.report.values import Report

REPORTS = {
    "full": sample(),
    "hostile": hostile(),
    "error": Report("check", "error", exit_code=4),
    "graph": Report("inspect", "pass", graph=graph((layer("a", tensors=[tensor("a/kernel")]), layer("b")),
    [("a", "b", 0)],
                                                   excluded=[{"name": "adam/m", "reason": "optimizer",
                                                       "size": 1}])),
}  # fmt: skip


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_there_and_back(tmp_path: Path, report: Report) -> None:
    path = tmp_path / "report.json"
    path.write_text(render(report.to_json()))
    loaded = load_report(path)
    assert render(loaded.to_json()) == path.read_text()
    assert loaded.exit_code == report.exit_code


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("schema_version",), 9, "schema_version 1"),
        (("verdict",), "fine", "report.verdict is 'fine'"),
        (("steps",), {}, "report.steps is '{}'"),
        (("steps", 0, "size"), -1, "steps[0].size is '-1'"),
        (("steps", 1, "sources"), "a", "steps[1].sources"),
        (("steps", 0, "contract"), ["x"], "steps[0].contract"),
        (("findings", 0, "code"), "WB000", "findings[0].code is 'WB000'"),
        (("source", "layers"), "many", "source.layers"),
        (("verification", "outputs"), [1], "verification.outputs"),
        (("verification", "outputs", 0, "status"), ["equal"], "verification.outputs[0].status"),
        (
            ("verification", "layers"),
            [{"ratio_cumulative": "much"}],
            "verification.layers[0].ratio_cumulative",
        ),
        (("verification", "evidence", "tensors"), {"identical": "all"}, "verification.evidence.tensors"),
        (("asked",), {"options": {"rules": 7}}, "asked.options.rules"),
        (("unused", 0, "reason"), None, "unused[0].reason"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, path: tuple[Any, ...], value: Any, said: str) -> None:
    data = place = sample().to_json()
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError) as raised:
        load_report(_written(tmp_path, json.dumps(data)))
    assert said in str(raised.value)


@pytest.mark.parametrize("key", ["layers", "edges", "excluded"])
def test_a_wrong_graph(tmp_path: Path, key: str) -> None:
    data = Report("inspect", "pass", graph={**graph((layer("a"),)), key: [{"name": 1}]}).to_json()
    with pytest.raises(UsageError, match=key):
        load_report(_written(tmp_path, json.dumps(data)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        "NaN",
        '{"schema_version": NaN}',
        "[" * 100_000,
        '{"schema_version": ' + "1" * 5000 + "}",
        "\x00",
    ],
    ids=["empty", "cut", "list", "number", "null", "nan", "nan-inside", "deep", "huge", "nul"],
)
def test_no_report_at_all(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"report\.json"):
        load_report(_written(tmp_path, text))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"], ids=["missing", "binary"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"report\.json"):
        load_report(path)


def test_problems_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    data = sample().to_json()
    for one in data["steps"]:
        one["size"] = None
    with pytest.raises(UsageError, match=rf"steps\[4\]\.size.*and {len(data['steps']) - 5} more"):
        load_report(_written(tmp_path, json.dumps(data)))


def _written(folder: Path, text: str) -> Path:
    path = folder / "report.json"
    path.write_text(text)
    return path
