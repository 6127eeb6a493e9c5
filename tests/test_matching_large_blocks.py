"""Files of over a thousand tensors whose names say little are matched in about linear time."""

import sys
from pathlib import Path

import numpy as np
from keras_files import source
from network_files import dense, wired, write
from safetensors.numpy import save_file
from torch_files import held, zip_file

import weightbridge as wb

COUNT = 1100
PARTS = (("weight", 2), ("bias", 1))


def test_equal_names_first_then_the_order_and_that_is_said(tmp_path: Path) -> None:
    shared = [f"x/{chr(97 + i % 26)}{chr(97 + i // 26)}q" for i in range(100)]
    source = [*shared, *(f"u/{i}" for i in range(COUNT))]
    target = [*reversed(shared), *(f"v/{i}" for i in range(COUNT))]
    for side, names in (("s", source), ("t", target)):
        save_file({name: np.zeros((2, 3), "f4") for name in names}, tmp_path / f"{side}.safetensors")
    report = wb.check(tmp_path / "s.safetensors", tmp_path / "t.safetensors", fail_on="never")
    assert report.plan is not None
    steps = {step.target: step for step in report.plan.steps}
    assert all(steps[name].sources == (name,) for name in shared)
    unsure = [steps[f"v/{i}"] for i in range(COUNT)]
    assert [step.sources for step in unsure] == [(f"u/{i}",) for i in range(COUNT)]
    assert max(step.confidence for step in unsure) <= 0.5
    assert "WB204" in {finding.code for finding in report.findings}
    assert len(report.findings) < 10


def alike(folder: Path, count: int) -> tuple[Path, Path]:
    """As many layers of one size, whose names say nothing on the target's side."""
    arrays = {f"layer.{i}.{part}": np.ones((4,) * rank, "f4") for i in range(count) for part, rank in PARTS}
    layers = [source("x", [4]), *(dense(f"dense_{i}", 4) for i in range(count))]
    given = zip_file(folder / f"{count}.pth", *held(arrays))
    return given, write(folder, f"target{count}", wired(*layers))


def test_runners_up_are_no_more_than_a_question_can_ask(tmp_path: Path) -> None:
    def work(count: int) -> int:
        pair = alike(tmp_path, count)
        found = 0

        def counted(_frame: object, event: str, _argument: object) -> object:
            nonlocal found
            found += event == "line"
            return counted

        before = sys.gettrace()
        sys.settrace(counted)  # type: ignore[arg-type]  # only the event is looked at
        try:
            report = wb.check(*pair)
        finally:
            sys.settrace(before)
        assert report.plan is not None
        assert max(len(step.runners_up) for step in report.plan.steps) <= 25
        return found

    work(10)  # what is imported and read late
    assert work(200) < 6 * work(50)
