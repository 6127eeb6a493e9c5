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
BENCHMARKS = (ROOT / "benchmarks" / "README.md").read_text()
SESSIONS = re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
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
    assert len(shown) >= 5
    for command, output in shown:
        assert lines(run(command, tmp_path)) == lines(output), command


@pytest.mark.framework
@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    """Each block as it stands; and the first one leaves the model as it was, and is silent about it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    loading, *others = PYTHON
    held = "import numpy as np\nheld = [np.array(w) for w in model.get_weights()]\n"
    counted = (
        "print(sum(np.array_equal(*pair) for pair in zip(held, model.get_weights(), strict=True)), len(held))"
    )
    built, load = loading.rsplit("\n", 2)[0] + "\n", loading.rsplit("\n", 2)[1] + "\n"
    (tmp_path / "first.py").write_text(f"{built}{held}{load}{counted}")
    assert run(f"{sys.executable} -W error first.py", tmp_path) == "17 17"
    (tmp_path / "others.py").write_text("\n".join(others))
    run(f"{sys.executable} others.py", tmp_path)


@pytest.mark.framework
@pytest.mark.slow
def test_the_tables_beside_other_loaders_are_what_the_benchmark_prints() -> None:
    printed = run(f"{sys.executable} benchmarks/against_keras.py", ROOT)
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) >= 8
    assert [row for row in rows[1:] if row not in README] == []
    assert [row for row in rows if row not in BENCHMARKS] == []


def test_what_is_said_of_other_loaders_stands_in_the_benchmarks() -> None:
    section = README.split("## Beside other loaders")[1].split("\n## ")[0]
    claims = set(re.findall(r"\d+ of \d+ right|raises \w+", section))
    assert len(claims) >= 8
    assert sorted(claim for claim in claims if claim not in BENCHMARKS) == []


def test_the_table_of_converters_is_what_was_recorded() -> None:
    printed = run(f"{sys.executable} benchmarks/converting.py", ROOT)
    table, reasons = printed.split("\n\n")
    assert "not measured" not in table
    assert table in README
    assert table in BENCHMARKS
    assert [line for line in reasons.splitlines() if line not in BENCHMARKS] == []


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
