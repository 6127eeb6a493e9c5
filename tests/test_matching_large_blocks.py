"""Files of over a thousand tensors whose names say little are matched in about linear time."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import weightbridge as wb

COUNT = 1100


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
