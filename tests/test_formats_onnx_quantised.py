"""Quantised weights of ONNX: their values are the floats that the graph makes of them, and codes are never
taken for values.
"""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.errors import Unsupported

CODES = np.random.default_rng(0).integers(-100, 100, (4, 3)).astype("i1")
ROWS, COLUMNS, ONE = values((4,), 1), values((3,), 2), np.float32(0.25)
SCALES: dict[
    str, tuple[np.ndarray, np.ndarray | None, int, np.ndarray]
] = {  # scale, zero point, axis, the floats
    "one scale": (ONE, None, 1, CODES * ONE),
    "and a zero point": (ONE, np.int8(3), 1, (CODES.astype("f4") - 3) * ONE),
    "by rows": (ROWS, np.zeros(4, "i1"), 0, CODES * ROWS[:, None]),
    "by columns": (COLUMNS, np.arange(3).astype("i1"), -1, (CODES.astype("f4") - np.arange(3)) * COLUMNS),
}


def quantised(path: Path, scale: np.ndarray, zero: np.ndarray | None, axis: int) -> Path:
    given = {"w": CODES, "s": np.asarray(scale)} | ({} if zero is None else {"z": np.asarray(zero)})
    ops: list[Op] = [
        ("DequantizeLinear", list(given), ["f"], {"axis": axis}),
        ("MatMul", ["x", "f"], ["y"], {}),
    ]
    return saved(path, ops, given, {"x": ["n", 4]}, ["y"])


def plain(path: Path) -> Path:
    return saved(
        path, [("MatMul", ["x", "v"], ["y"], {})], {"v": np.zeros((4, 3), "f4")}, {"x": ["n", 4]}, ["y"]
    )


@pytest.mark.parametrize(("scale", "zero", "axis", "floats"), SCALES.values(), ids=SCALES)
def test_floats_arrive(
    tmp_path: Path, scale: np.ndarray, zero: np.ndarray | None, axis: int, floats: np.ndarray
) -> None:
    source = quantised(tmp_path / "s.onnx", scale, zero, axis)
    (tensor,) = formats.read(source).tensors
    assert (tensor.dtype, tensor.role) == ("float32", "kernel")
    wb.transfer(source, plain(tmp_path / "t.onnx"), output=tmp_path / "o.onnx", verify=False)
    (written,) = formats.read(tmp_path / "o.onnx").tensors
    assert np.allclose(written.load(), floats)


def test_scales_that_fit_no_axis_are_not_guessed(tmp_path: Path) -> None:
    graph = formats.read(quantised(tmp_path / "s.onnx", values((2,), 1), None, 0))
    assert [x.op for x in graph.layers if x.tensors] != ["Dense"]


def test_codes_are_never_taken_for_values(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], {}),
        ("MatMulInteger", ["q", "w", "z"], ["y"], {}),
    ]
    source = saved(tmp_path / "s.onnx", ops, {"w": CODES}, {"x": ["n", 4]}, ["y"])
    made = wb.check(source, plain(tmp_path / "t.onnx"))
    assert not any(s.sources for s in made.plan.steps)


def test_quantised_weights_are_not_written(tmp_path: Path) -> None:
    source = saved(
        tmp_path / "s.onnx",
        [("MatMul", ["x", "v"], ["y"], {})],
        {"v": values((4, 3))},
        {"x": ["n", 4]},
        ["y"],
    )
    with pytest.raises(Unsupported, match="quantised weights are read, not written"):
        wb.transfer(
            source, quantised(tmp_path / "t.onnx", ONE, None, 1), output=tmp_path / "o.onnx", verify=False
        )
    assert not (tmp_path / "o.onnx").exists()
