"""The three ways to use pre-trained weights.

Each example runs, its accuracy beats its control, and the README says what it prints.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = re.compile(
    r"^(?P<name>[\w ]+): (?P<transferred>[\d.]+) with the transfer, (?P<control>[\d.]+) without", re.MULTILINE
)
TOLERANCE = (
    0.08  # the controls' accuracies, few labels and other processors, moved by at most 0.05 between runs
)

pytestmark = [pytest.mark.framework, pytest.mark.slow]


def readme_row(script: str) -> tuple[float, float]:
    """The two accuracies in the README's table row that links the script."""
    row = next(
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("|") and script in line
    )
    transferred, control = re.findall(r"\b[01]\.\d{3}\b", row)[:2]
    return float(transferred), float(control)


@pytest.mark.parametrize(
    "script",
    ["identical_architecture.py", "partial_transfer.py", "feature_extraction.py", "fine_tune_onnx.py"],
)
def test_an_example_prints_what_the_readme_says(script: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, ROOT / "examples" / script]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = LINE.search(done.stdout)
    assert found, done.stdout
    measured = float(found["transferred"]), float(found["control"])
    assert measured[0] > measured[1] + 0.05
    assert measured == pytest.approx(readme_row(script), abs=TOLERANCE)


def test_fine_tuning_is_measured_beside_plain_training() -> None:
    command = [sys.executable, ROOT / "examples" / "fine_tuning.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    names = re.findall(r"^(.+?) +[01]\.\d{3} \+- \d", done.stdout, re.MULTILINE)
    assert names == ["plain", "gradual unfreezing", "rates by group", "L2-SP"]
