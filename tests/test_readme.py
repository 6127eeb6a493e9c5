"""What the README shows is what happens.

Its commands are run and their real output is compared, its links and CI's commands too.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from weightbridge.errors import WeightbridgeError
from weightbridge.report.values import EXIT_CODES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SESSIONS = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# Measured noise: the last digits differ between processors and versions of TensorFlow. Nothing else may.
MEASURED = re.compile(r"\d+(\.\d+)?e-\d+|\b\d+\.\d+\b")


def commands_of(session: str) -> list[tuple[str, str]]:
    """(command, output) pairs of one fenced session."""
    parts = re.split(r"^\$ (.+)$", session, flags=re.MULTILINE)[1:]
    return [(command, output.strip()) for command, output in zip(parts[::2], parts[1::2], strict=True)]


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "140"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def lines(output: str) -> list[str]:
    return [MEASURED.sub("0.0", line).rstrip() for line in output.splitlines()]


@pytest.mark.framework
@pytest.mark.slow
def test_the_example_prints_what_stands_there(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shown = [pair for session in SESSIONS for pair in commands_of(session)]
    assert len(shown) >= 2
    for command, output in shown:
        assert lines(run(command, tmp_path)) == lines(output), command


def test_only_measured_numbers_may_differ() -> None:
    assert lines("copied 12 tensors, floor 2.1e-07") == lines("copied 12 tensors, floor 3.4e-07  ")
    assert lines("copied 12 tensors") != lines("copied 13 tensors")


def test_ci_installs_and_tests_as_the_readme_says() -> None:
    steps = {line.removeprefix("step ") for line in (ROOT / ".ci" / "run").read_text().splitlines()}
    install, *tests = (part.strip() for part in SHELL[1].split("&&"))
    assert install.replace("install", "install --quiet") in steps
    assert [command for command in tests if command not in steps] == []


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_exit_codes_are_the_programs() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    errors = {kind.exit_code for kind in _tree(WeightbridgeError)}
    assert listed == {0, 70} | errors | set(EXIT_CODES.values())


def _tree(kind: type[WeightbridgeError]) -> list[type[WeightbridgeError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _tree(below))]
