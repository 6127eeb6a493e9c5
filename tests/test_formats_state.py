"""State that is no weight: masks of pruning, ranges of quantisation, singular vectors, integer constants."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy

import weightbridge as wb

KERNEL, BIAS = numbers(4, 3), numbers(3)
DENSE: dict[str, Any] = {"class_name": "Dense", "config": {"name": "dense", "units": 3}}
WRAPPERS: dict[str, dict[str, Any]] = {
    "PruneLowMagnitude": {
        "mask": np.ones((4, 3), "f4"),
        "threshold": np.float32(0),
        "pruning_step": np.int64(-1),
    },
    "QuantizeWrapperV2": {
        "optimizer_step": np.int32(-1),
        "kernel_min": np.float32(-6),
        "kernel_max": np.float32(6),
        "post_activation_min": np.float32(-6),
        "post_activation_max": np.float32(6),
    },
    "SpectralNormalization": {"sn_u": np.ones((1, 3), "f4")},
}


def plain(path: Path) -> Path:
    config = {**DENSE["config"], "batch_input_shape": [None, 4]}
    weights = {"dense/kernel:0": KERNEL, "dense/bias:0": BIAS}
    return write_legacy(
        path, {"dense": weights}, sequential({**DENSE, "config": config}, module=""), version="2.4.0"
    )


def wrapped(path: Path, class_name: str, state: dict[str, Any]) -> Path:
    config = {"name": "outer", "batch_input_shape": [None, 4], "layer": DENSE}
    weights = {"outer/kernel:0": KERNEL + 1, "outer/bias:0": BIAS + 1}
    weights |= {f"outer/{name}:0": value for name, value in state.items()}
    model = sequential({"class_name": class_name, "config": config}, module="")
    return write_legacy(path, {"outer": weights}, model, version="2.4.0")


@pytest.mark.parametrize(("class_name", "state"), WRAPPERS.items(), ids=WRAPPERS)
def test_state_of_wrappers_is_left_out(tmp_path: Path, class_name: str, state: dict[str, Any]) -> None:
    paths = plain(tmp_path / "a.h5"), wrapped(tmp_path / "b.h5", class_name, state)
    graph = wb.read(paths[1])
    assert {t.role for t in graph.tensors} == {"kernel", "bias"}
    assert {e.reason for e in graph.excluded} == {"state"}
    assert len(graph.excluded) == len(state)
    for pair in (paths, paths[::-1]):
        report = wb.check(*pair)
        assert [step.kind for step in report.plan.steps] == ["copy", "copy"]
        assert not [f.code for f in report.findings if f.severity == "error"]


def test_a_minimum_alone_and_a_mask_alone_are_weights(tmp_path: Path) -> None:
    weights = {"own/kernel_min:0": KERNEL, "own/mask:0": BIAS}
    graph = wb.read(write_legacy(tmp_path / "w.h5", {"own": weights}))
    assert len(graph.tensors) == 2


def with_positions(path: Path, *arrays: np.ndarray) -> Path:
    model = sequential(source("x", [4]), layer("Own", "own", module="own"), layer("Dense", "dense", units=3))
    return write_keras(
        path, model, {"layers/own": ("own", arrays), "layers/dense": ("dense", (KERNEL, BIAS))}
    )


def test_integer_constants_of_the_target_stay_its_own(tmp_path: Path) -> None:
    table, positions = numbers(10, 4), np.arange(5, dtype="i4")
    a, b = with_positions(tmp_path / "a.keras", table), with_positions(tmp_path / "b.keras", table, positions)
    report = wb.check(a, b)
    assert {s.target: s.kind for s in report.plan.steps}["own/1"] == "keep"
    assert not [f.code for f in report.findings if f.severity == "error"]
    assert [(u.source, u.reason) for u in wb.check(b, a).plan.unused] == [("own/1", "state")]


def test_integer_constants_that_both_have_are_copied(tmp_path: Path) -> None:
    table = numbers(10, 4)
    a, b = (with_positions(tmp_path / f"{i}.keras", table, np.arange(i, 5 + i, dtype="i4")) for i in (0, 1))
    assert {s.target: s.kind for s in wb.check(a, b).plan.steps}["own/1"] == "copy"
