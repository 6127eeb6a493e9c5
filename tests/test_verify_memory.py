"""Verification lets models go as soon as what they give is known."""

import weakref
from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, values

from weightbridge import formats
from weightbridge.formats.running import Runner
from weightbridge.verify import Control, Setup, equality
from weightbridge.verify.controls import LARGE

pytestmark = pytest.mark.framework


def test_what_runs_in_float64_and_one_control_at_a_time(tmp_path: Path) -> None:
    dense: list[Op] = [("Gemm", ["x", "w", "b"], ["y"], {})]
    models = [
        saved(
            tmp_path / f"{i}.onnx",
            dense,
            {"w": values((4, 6), i), "b": values((6,), i)},
            {"x": ["n", 4]},
            ["y"],
        )
        for i in (1, 2)
    ]
    built: list[weakref.ref[Runner]] = []
    alive: list[int] = []

    def precise() -> Runner:
        runner = formats.runner(models[0], "float64")
        built.append(weakref.ref(runner))
        return runner

    def wrong() -> Runner:
        alive.append(sum(ref() is not None for ref in built))
        runner = formats.runner(models[1])
        built.append(weakref.ref(runner))
        return runner

    setup = Setup(precise=precise, controls=(Control("a", wrong), Control("b", wrong)), nbytes=LARGE + 1)
    verification, found = equality(formats.runner(models[0]), formats.runner(models[0]), setup)
    assert not found
    assert verification.evidence["floor"] == "float64 against float32 of the source"
    assert [control["result"] for control in verification.evidence["controls"]] == ["failed", "failed"]
    assert (len(built), alive) == (3, [0, 0])
    assert np.isfinite(verification.outputs[0]["ratio"])
