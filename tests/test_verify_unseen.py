"""verify: values that differ where no output shows it, and values that a later layer makes good."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge.report.values import Report

pytestmark = [pytest.mark.framework]
Weights = dict[str, np.ndarray]
ROWS = {"x": ["n", 6]}
ORDER = np.array([3, 0, 2, 1, 7, 5, 4, 6])


def weights() -> Weights:
    """Of two layers; the first four hidden units are dead."""
    return {
        "w1": values((6, 8), 1),
        "b1": np.where(np.arange(8) < 4, np.float32(-1e4), np.float32(0.1)),
        "w2": values((8, 3), 2),
        "b2": values((3,), 3),
    }


def model(path: Path, tensors: Weights) -> Path:
    nodes: list[Op] = [
        ("Gemm", ["x", "w1", "b1"], ["h"], {}),
        ("Relu", ["h"], ["r"], {}),
        ("Gemm", ["r", "w2", "b2"], ["y"], {}),
    ]
    return saved(path, nodes, tensors, ROWS, ["y"])


def dead(tensors: Weights) -> Weights:
    changed = tensors["w1"].copy()
    changed[:, 2] *= 1.01
    return {**tensors, "w1": changed}


def alive(tensors: Weights) -> Weights:
    changed = tensors["w1"].copy()
    changed[:, 6] *= 1.01
    return {**tensors, "w1": changed}


def reordered(tensors: Weights) -> Weights:
    first = {"w1": tensors["w1"][:, ORDER], "b1": tensors["b1"][ORDER], "w2": tensors["w2"][ORDER]}
    return {**tensors, **{name: np.ascontiguousarray(array) for name, array in first.items()}}


def rounded(tensors: Weights) -> Weights:
    return {**tensors, "w1": tensors["w1"] * np.float32(1 + 2**-23)}


CASES: dict[str, tuple[Callable[[Weights], Weights], str, list[str]]] = {
    "dead": (dead, "warn", ["WB503"]),
    "alive": (alive, "fail", ["WB401"]),
    "made-good": (reordered, "pass", []),
    "rounding": (rounded, "pass", []),
    "same": (dict, "pass", []),
}


def verified(folder: Path, one: Weights, other: Weights) -> Report:
    return wb.verify(model(folder / "a.onnx", one), model(folder / "b.onnx", other))


@pytest.mark.parametrize("case", CASES)
def test_values_that_differ(case: str, tmp_path: Path) -> None:
    change, verdict, codes = CASES[case]
    report = verified(tmp_path, weights(), change(weights()))
    assert (report.verdict, [f.code for f in report.findings]) == (verdict, codes)


def test_what_is_too_small_to_be_seen_is_said(tmp_path: Path) -> None:
    loud = {**weights(), "w2": weights()["w2"] * np.float32(1e9)}
    report = verified(tmp_path, loud, {**loud, "b2": loud["b2"] * np.float32(1.01)})
    assert [f.code for f in report.findings] in (["WB503"], ["WB401"])
    assert report.verdict != "pass"
