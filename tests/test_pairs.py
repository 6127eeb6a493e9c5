"""--config: all pairs of a policy in one run, in every format, whatever becomes of one of them."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_calls import Call, caller
from report_samples import write_keras

SCHEMA = json.loads(
    (Path(__file__).parent.parent / "weightbridge" / "report" / "schema.json").read_text(encoding="utf-8")
)
HEAD = 'schema = 1\nadapt = "none"\n'
GOOD = '[[pair]]\nname = "good"\nsource = "a.keras"\ntarget = "same.keras"\n'
OPEN = '[[pair]]\nname = "open"\nsource = "a.keras"\ntarget = "longer.keras"\n'
DECLARED = OPEN.replace("open", "declared") + 'fresh = ["third/*"]\nmin_exact = 0.5\n'
GONE = '[[pair]]\nname = "gone"\nsource = "a.keras"\ntarget = "nope.keras"\n'


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.chdir(tmp_path)
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    write_keras(tmp_path / "same.keras", (4, 3, 2), ("first", "second"), seed=2)
    write_keras(tmp_path / "longer.keras", (4, 3, 2, 2), ("first", "second", "third"), seed=3)

    return caller(capsys)


def config(folder: Path, *parts: str) -> Path:
    path = folder / "weightbridge.toml"
    path.write_text("".join(parts))
    return path


def as_json(call: Call, *arguments: str) -> dict[str, Any]:
    _, out, _ = call(*arguments, "--report", "json")
    data: dict[str, Any] = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


@pytest.mark.parametrize(
    ("pairs", "code", "verdict"),
    [
        ((GOOD,), 0, "pass"),
        ((GOOD, DECLARED), 0, "pass"),
        ((GOOD, OPEN), 1, "fail"),
        ((OPEN, GONE, GOOD), 4, "error"),
        ((GOOD + 'plan = "nope.json"\n', OPEN), 2, "error"),
    ],
    ids=["one", "two", "fail", "unreadable", "no plan"],
)
def test_the_worst_pair_decides(
    call: Call, tmp_path: Path, pairs: tuple[str, ...], code: int, verdict: str
) -> None:
    config(tmp_path, HEAD, *pairs)
    assert call("check", "--config", "weightbridge.toml")[0] == code
    data = as_json(call, "check", "--config", "weightbridge.toml")
    assert (data["verdict"], data["exit_code"], len(data["pairs"])) == (verdict, code, len(pairs))
    assert len(data["findings"]) == sum(len(pair["findings"]) for pair in data["pairs"])


def test_the_text_has_a_line_a_pair_and_a_block_for_what_is_to_be_looked_at(
    call: Call, tmp_path: Path
) -> None:
    config(tmp_path, HEAD, GOOD, OPEN, GONE)
    _, out, err = call("check", "--config", "weightbridge.toml")
    lines = out.splitlines()
    assert lines[0].startswith("ERROR check")
    assert lines[1] == "3 pairs of weightbridge.toml: 1 error, 1 fail, 1 pass."
    assert [line.split()[1] for line in lines[3:6]] == ["good", "open", "gone"]
    assert "== open =" in out
    assert "== good =" not in out
    assert lines[-1] == "exit 4"
    assert "gone: nope.keras" in err


def test_every_format_has_all_pairs(call: Call, tmp_path: Path) -> None:
    config(tmp_path, HEAD, OPEN, OPEN.replace("open", "twin"), GOOD)
    formats = ("json", "json:lean", "markdown", "comment", "junit", "github", "sarif", "gitlab", "html")
    reports = [
        part for format in formats for part in ("--report", f"{format}={format.replace(':', '.')}.out")
    ]
    assert call("check", "--config", "weightbridge.toml", *reports)[0] == 1
    texts = {format: (tmp_path / f"{format.replace(':', '.')}.out").read_text() for format in formats}
    for format in ("json", "json:lean", "markdown", "comment", "junit", "github", "html"):
        assert all(name in texts[format] for name in ("open", "twin", "good")), format
    assert texts["comment"].startswith("<!-- weightbridge:weightbridge.toml -->\n")
    suites = ET.fromstring(texts["junit"])
    assert int(suites.attrib["failures"]) >= 2
    (run,) = json.loads(texts["sarif"])["runs"]
    prints = [result["partialFingerprints"]["weightbridge/v1"] for result in run["results"]]
    assert len(prints) == len(set(prints)) == 2
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])
    ids = re.findall(r' id="([^"]+)"', texts["html"])
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in re.findall(r'href="([^"]+)"', texts["html"])} <= set(ids)
    assert texts["html"].count("<script>") == texts["html"].count("<main>") == 1
    entries = json.loads(texts["gitlab"])
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 2
    for format in formats:
        call("report", "json.out", "--report", f"{format}=again")
        assert (tmp_path / "again").read_text() == texts[format], format


def test_a_policy_says_where_reports_go(call: Call, tmp_path: Path) -> None:
    config(tmp_path, HEAD, '[report]\njson = "out/r.json"\njunit = "out/r.xml"\n', GOOD)
    code, out, _ = call("check", "--config", "weightbridge.toml", "--report", "junit=own.xml")
    assert (code, out) == (0, "")
    assert {path.name for path in tmp_path.glob("**/r.*")} == {"r.json"}
    assert (tmp_path / "own.xml").exists()


def test_paths_are_seen_from_the_policy(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(tmp_path, HEAD, GOOD)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    data = as_json(call, "check", "--config", "../weightbridge.toml")
    assert data["pairs"][0]["source"]["path"] == "../a.keras"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--config", "weightbridge.toml", "a.keras", "same.keras"), "one or the other"),
        (("check", "--config", "weightbridge.toml", "--fresh", "third/*"), "--fresh is about one pair"),
        (("check", "--config", "weightbridge.toml", "--report", "json=a.keras"), "written over a model"),
        (("check", "--config", "nope.toml"), "No such file"),
        (("check", "--config", "weightbridge.toml", "--report", "svg=x.svg"), "--report svg shows one pair"),
        (("plan", "--locked"), "--locked goes with --config"),
        (("plan", "--config", "weightbridge.toml", "--locked"), "no pair names a plan"),
        (("plan", "a.keras", "same.keras"), "Missing argument 'PLAN.json'"),
        (("check",), "Missing argument 'SOURCE'"),
    ],
)
def test_wrong_arguments(call: Call, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    config(tmp_path, HEAD, GOOD)
    code, _, err = call(*arguments)
    assert code == 2
    assert said in err


def test_a_policy_without_pairs(call: Call, tmp_path: Path) -> None:
    config(tmp_path, HEAD)
    code, _, err = call("check", "--config", "weightbridge.toml")
    assert code == 2
    assert "there is no pair of models. Add [[pair]]" in err


def test_locked_plans(call: Call, tmp_path: Path) -> None:
    config(tmp_path, HEAD, GOOD, 'plan = "good.json"\n', OPEN)
    locked = ("plan", "--config", "weightbridge.toml", "--locked")
    assert call(*locked)[0] == 2
    assert call("plan", "--config", "weightbridge.toml")[0] == 0
    before = (tmp_path / "good.json").read_bytes()
    assert call(*locked)[0] == 0
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=9)
    code, out, err = call(*locked)
    assert code == 2
    assert "the source a.keras has changed since the plan was made" in err
    assert "a.keras has changed" in out
    assert (tmp_path / "good.json").read_bytes() == before
    assert call("plan", "--config", "weightbridge.toml")[0] == 2
    assert call("plan", "--config", "weightbridge.toml", "--overwrite")[0] == 0
    assert call(*locked)[0] == 0
