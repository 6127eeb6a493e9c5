"""action.yml and the pre-commit hooks: well formed, inputs through the environment alone, their steps run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from report_samples import write_keras

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SHELL = {step["name"]: step for step in STEPS if "run" in step}
EXPRESSION = re.compile(r"\$\{\{\s*([^}]+?)\s*\}\}")


def test_what_an_action_needs() -> None:
    assert {"name", "description", "inputs", "outputs", "runs"} <= ACTION.keys()
    assert ACTION["runs"]["using"] == "composite"
    assert all(one["description"] and isinstance(one["default"], str) for one in ACTION["inputs"].values())
    assert all(step["shell"] == "bash" for step in SHELL.values())
    assert all(re.fullmatch(r"[\w/-]+@v\d+", step["uses"]) for step in STEPS if "uses" in step)
    assert list(ACTION["outputs"]) == ["verdict", "exit-code", "errors", "warnings", "exact", "report"]


def test_inputs_come_through_the_environment_alone() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
        assert "${{" not in step.get("with", {}).get("script", "")


def test_every_expression_names_something() -> None:
    used = {found for text in _texts(STEPS) for found in EXPRESSION.findall(text)}
    conditions = " ".join(step["if"] for step in STEPS if "if" in step)
    named = {word.removeprefix("inputs.") for word in re.findall(r"inputs\.[\w-]+", f"{used} {conditions}")}
    assert named == set(ACTION["inputs"])
    outputs = [EXPRESSION.fullmatch(one["value"]) for one in ACTION["outputs"].values()]
    assert [found and found[1].rpartition(".")[2] for found in outputs] == list(ACTION["outputs"])


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck")
@pytest.mark.parametrize("name", SHELL)
def test_shellcheck(name: str) -> None:
    command = ("shellcheck", "--shell=bash", "--severity=style", "-")
    done = subprocess.run(
        command, input=f"set -e\n{SHELL[name]['run']}\n", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def bash(name: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As GitHub runs a step: `bash --noprofile --norc -eo pipefail {0}`, with its variables."""
    script = folder / "step.sh"
    script.write_text(SHELL[name]["run"])
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    given = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": path,
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(folder / "output"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
    }
    command = ("bash", "--noprofile", "--norc", "-eo", "pipefail", str(script))
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **given, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def environment_of(name: str, inputs: dict[str, str]) -> dict[str, str]:
    """The step's `env`, with its inputs put in."""
    values = {**{key: one["default"] for key, one in ACTION["inputs"].items()}, **inputs}
    return {
        key: EXPRESSION.sub(lambda found: values[found[1].removeprefix("inputs.")], text)
        for key, text in SHELL[name]["env"].items()
    }


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, str(ROOT)),
        ({"extras": "torch,onnxruntime"}, f"{ROOT}[torch,onnxruntime]"),
        ({"version": "==1.2.0"}, "weightbridge-toolkit==1.2.0"),
        ({"version": ">=1,<2", "extras": "torch"}, "weightbridge-toolkit[torch]>=1,<2"),
        ({"version": "; touch hacked"}, "weightbridge-toolkit; touch hacked"),
        ({"extras": "$(touch hacked)"}, f"{ROOT}[$(touch hacked)]"),
    ],
)
def test_what_is_installed(tmp_path: Path, inputs: dict[str, str], expected: str) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    done = bash("Install", tmp_path, **environment_of("Install", inputs))
    assert done.stdout.splitlines() == ["-m", "pip", "install", "--disable-pip-version-check", expected]
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(("target", "code"), [("same.keras", 0), ("longer.keras", 1), ("$(touch hacked)", 4)])
def test_the_steps_one_after_another(tmp_path: Path, target: str, code: int) -> None:
    write_keras(tmp_path / "a.keras", (4, 3, 2), ("first", "second"), seed=1)
    write_keras(tmp_path / "same.keras", (4, 3, 2), ("first", "second"), seed=2)
    write_keras(tmp_path / "longer.keras", (4, 3, 2, 2), ("first", "second", "third"), seed=3)
    done = bash("Run", tmp_path, **environment_of("Run", {"source": "a.keras", "target": target}))
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert set(outputs) == set(ACTION["outputs"])
    assert bash("Judge", tmp_path, CODE=outputs["exit-code"]).returncode == code
    assert not (tmp_path / "hacked").exists()
    for step in STEPS:  # what later steps take is there
        for text in _texts(step.get("with", {})):
            for path in re.findall(r"weightbridge-report/[\w.]*", text):
                assert (tmp_path / path).exists()


def test_a_run_that_said_nothing_fails(tmp_path: Path) -> None:
    assert bash("Judge", tmp_path, CODE="").returncode == 70


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_hooks_are_commands_that_parse(hook: dict[str, Any]) -> None:
    import click

    from weightbridge.cli.group import cli

    assert {"id", "name", "description", "entry", "language", "files", "pass_filenames"} == hook.keys()
    assert hook["language"] == "python"
    assert hook["pass_filenames"] is False
    program, name, *words = hook["entry"].split()
    assert program == "weightbridge"
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.make_context(name, words).params["config"] == Path("weightbridge.toml")
    assert re.search(hook["files"], "weightbridge.toml")
    assert re.search(hook["files"], "models/r50.keras")
    assert not re.search(hook["files"], "README.md")
