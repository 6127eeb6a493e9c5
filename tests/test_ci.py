"""`python -m weightbridge.ci`: what it writes for GitHub, and that a value of a variable is never more."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from report_samples import write_keras

from weightbridge.ci import MOST, REPORTS, arguments
from weightbridge.errors import UsageError

PAIRS = """schema = 1
adapt = "none"
[[pair]]
name = "good"
source = "a.keras"
target = "same.keras"
plan = "good.json"
[[pair]]
name = "open"
source = "a.keras"
target = "longer.keras"
"""
HOSTILE = ('$(touch hacked)`touch hacked`"; touch hacked; "\na=b${{ github.token }}', "::error::x")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    write_keras(tmp_path / "same.keras", (4, 3, 2), ("first", "second"), seed=2)
    write_keras(tmp_path / "longer.keras", (4, 3, 2, 2), ("first", "second", "third"), seed=3)
    return tmp_path


def run(folder: Path, **variables: str) -> tuple[dict[str, str], str, str]:
    """(outputs, summary, log)."""
    for name in ("output", "summary"):
        (folder / name).write_text("")
    given = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "weightbridge.ci"],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **given, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (folder / "output").read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    assert len(outputs) == len(lines) == 6
    return outputs, (folder / "summary").read_text(), done.stdout


def unquoted(log: str) -> list[str]:
    """The lines that GitHub takes for commands of a job."""
    found = re.search(r"\A::stop-commands::([0-9a-f]{32})\n.*\n::\1::\n", log, re.DOTALL)
    assert found
    return log[found.end() :].splitlines()


def test_two_models(folder: Path) -> None:
    outputs, summary, log = run(folder, SOURCE="a.keras", TARGET="longer.keras")
    assert outputs == {
        "verdict": "fail", "exit-code": "1", "errors": "1", "warnings": "0", "exact": "0.7931",
        "report": "weightbridge-report/report.json",
    }  # fmt: skip
    assert summary.startswith("## weightbridge: FAIL check")
    assert {path.name for path in (folder / "weightbridge-report").iterdir()} == set(REPORTS.values())
    assert "FAIL check" in log
    assert unquoted(log) == (folder / "weightbridge-report" / "annotations.txt").read_text().splitlines()


def test_all_pairs_of_a_config(folder: Path) -> None:
    (folder / "weightbridge.toml").write_text(PAIRS)
    outputs, summary, _ = run(folder, CONFIG="weightbridge.toml", COMMAND="check", SOURCE="", TARGET="")
    assert (outputs["verdict"], outputs["exit-code"]) == ("error", "2")  # there is no plan yet
    assert "`good`" in summary
    assert "`open`" in summary
    outputs, _, _ = run(folder, COMMAND="plan")
    assert outputs["exit-code"] == "2"
    subprocess.run(
        [sys.executable, "-m", "weightbridge", "plan", "--config", "weightbridge.toml"], check=True
    )
    assert run(folder, COMMAND="plan")[0]["exit-code"] == "0"
    assert run(folder)[0]["verdict"] == "fail"


def test_a_baseline_and_a_policy(folder: Path) -> None:
    (folder / "strict.toml").write_text('fail_on = "warning"\n')
    swapped = {"SOURCE": "longer.keras", "TARGET": "a.keras"}
    assert run(folder, **swapped)[0]["exit-code"] == "0"
    assert run(folder, **swapped, FAIL_ON="warning")[0]["exit-code"] == "1"
    assert run(folder, **swapped, CONFIG="strict.toml")[0]["exit-code"] == "1"
    assert run(folder, **swapped, CONFIG="strict.toml", FAIL_ON="error")[0]["exit-code"] == "0"
    assert run(folder, **swapped, CONFIG="strict.toml", ARGS="--unused 'third/*'")[0]["verdict"] == "pass"
    add = ("baseline", "add", "longer.keras", "a.keras", "--code", "WB203", "--reason", "why")
    subprocess.run([sys.executable, "-m", "weightbridge", *add], check=True)
    accepted = {"BASELINE": "weightbridge-baseline.json", "CONFIG": "strict.toml"}
    assert run(folder, **swapped, **accepted)[0]["exit-code"] == "0"


@pytest.mark.parametrize("annotations", ["true", "false"])
@pytest.mark.parametrize("summary", ["true", "false"])
def test_what_is_switched_off(folder: Path, annotations: str, summary: str) -> None:
    asked = {"ANNOTATIONS": annotations, "SUMMARY": summary}
    _, text, log = run(folder, SOURCE="a.keras", TARGET="longer.keras", **asked)
    assert bool(text) == (summary == "true")
    assert bool(unquoted(log)) == (annotations == "true")


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"SOURCE": "nope.keras", "TARGET": "a.keras"}, "4"),
        ({"SOURCE": "a.keras", "TARGET": "--help"}, "2"),
        ({"SOURCE": "a.keras"}, "2"),
        ({"COMMAND": "demo"}, "2"),
        ({"COMMAND": "transfer"}, "2"),
        ({"CONFIG": "nope.toml"}, "2"),
        ({"SOURCE": "a.keras", "TARGET": "same.keras", "BASELINE": "nope.json"}, "2"),
        ({"SOURCE": "a.keras", "TARGET": "same.keras", "FAIL_ON": "sometimes"}, "2"),
        ({"SOURCE": "a.keras", "TARGET": "same.keras", "ARGS": "'"}, "2"),
        ({"SOURCE": "a.keras", "TARGET": "same.keras", "ARGS": "--bogus"}, "2"),
    ],
    ids=str,
)
def test_what_fails_never_looks_clean(folder: Path, variables: dict[str, str], code: str) -> None:
    run(folder, SOURCE="a.keras", TARGET="same.keras")  # what an earlier run left is not taken for this one's
    outputs, summary, log = run(folder, **{"COMMAND": "check", **variables})
    assert (outputs["verdict"], outputs["exit-code"]) == ("error", code)
    assert "ERROR" in summary
    assert unquoted(log)[0].startswith("::error ")
    report = json.loads((folder / "weightbridge-report" / "report.json").read_text())
    assert (report["verdict"], report["exit_code"]) == ("error", int(code))
    assert {path.name for path in (folder / "weightbridge-report").iterdir()} == set(REPORTS.values())


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["COMMAND", "SOURCE", "TARGET", "CONFIG", "BASELINE", "FAIL_ON", "ARGS"])
def test_a_hostile_value_is_a_value(folder: Path, name: str, value: str) -> None:
    plain = {"SOURCE": "a.keras", "TARGET": "same.keras"}
    outputs, _, log = run(folder, **{**plain, name: value})
    assert outputs["verdict"] == "error"
    assert set(outputs) == {"verdict", "exit-code", "errors", "warnings", "exact", "report"}
    assert not (folder / "hacked").exists()
    assert all(re.match(r"::(error|warning|notice) [^\n]+::", line) for line in unquoted(log))


def test_a_name_in_a_model_is_no_command(folder: Path) -> None:
    write_keras(folder / "bad.keras", (4, 3, 2, 2), ("first", "second", "::error::x"), seed=3)
    _, _, log = run(folder, SOURCE="a.keras", TARGET="bad.keras")
    assert "::error::x" in log
    assert [line for line in unquoted(log) if line.startswith("::error::")] == []


def test_a_module_of_the_repository_is_not_run(folder: Path) -> None:
    for name in ("json", "secrets", "weightbridge"):
        (folder / f"{name}.py").write_text("open('hacked', 'w').close(); raise SystemExit(0)")
    assert run(folder, SOURCE="a.keras", TARGET="same.keras")[0]["verdict"] == "pass"
    assert not (folder / "hacked").exists()


def test_an_encoding_with_few_signs(folder: Path) -> None:
    outputs, _, log = run(folder, SOURCE="a.keras", TARGET="longer.keras", PYTHONIOENCODING="ascii")
    assert outputs["verdict"] == "fail"
    assert "█" in log


def test_without_github(folder: Path) -> None:
    given = {**os.environ, "SOURCE": "a.keras", "TARGET": "same.keras"}
    given = {name: value for name, value in given.items() if not name.startswith("GITHUB_")}
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "weightbridge.ci"]
    done = subprocess.run(command, env={**given, "PYTHONPATH": path}, capture_output=True, check=False)
    assert done.returncode == 0
    assert (folder / "weightbridge-report" / "report.json").exists()


def test_the_command_line() -> None:
    given = {"COMMAND": "transfer", "SOURCE": "a b", "TARGET": "py:x:y", "ARGS": "out.keras --fresh 'a b/*'"}
    assert arguments(given) == ["transfer", "a b", "py:x:y", "out.keras", "--fresh", "a b/*"]
    assert arguments({}) == ["check", "--config=weightbridge.toml"]
    assert arguments({"COMMAND": "plan", "CONFIG": "c.toml"}) == ["plan", "--config=c.toml", "--locked"]
    with pytest.raises(UsageError, match="is an option"):
        arguments({"SOURCE": "-x", "TARGET": "y"})
    assert MOST == 1024 * 1024
