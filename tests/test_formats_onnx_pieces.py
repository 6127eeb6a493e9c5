"""A matrix that the graph splits into rows, each for another value.

Its runs are tensors of their own, read and written in their place.
"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_samples import Op, model, saved, values

import weightbridge as wb
from weightbridge import formats

W = values((6, 4), 1)
CUT: list[Op] = [("Split", ["w", "sizes"], ["a", "b"], {"axis": 0})]
SLICED: list[Op] = [("Slice", ["w", "zero", "two"], ["a"], {}), ("Slice", ["w", "two", "six"], ["b"], {})]
COMPUTED: list[Op] = [
    ("Add", ["zero", "two"], ["end"], {}),
    ("Slice", ["w", "zero", "end"], ["a"], {}),
    ("Slice", ["w", "end", "six"], ["b"], {}),
]
USED: list[Op] = [
    ("Transpose", ["a"], ["at"], {"perm": [1, 0]}),
    ("Transpose", ["b"], ["bt"], {"perm": [1, 0]}),
    ("MatMul", ["x", "at"], ["y"], {}),
    ("MatMul", ["z", "bt"], ["v"], {}),
]
NUMBERS = {
    "sizes": np.array([2, 4]),
    "zero": np.array([0]),
    "two": np.array([2]),
    "six": np.array([6]),
    "five": np.array([5]),
}
INPUTS = {"x": ["n", 4], "z": ["n", 4]}


def file(path: Path, ops: list[Op], w: np.ndarray = W) -> Path:
    return saved(path, [*ops, *USED], {"w": w, **NUMBERS}, INPUTS, ["y", "v"])


@pytest.mark.parametrize("ops", [CUT, SLICED, COMPUTED], ids=["split", "slices", "computed bounds"])
def test_runs_of_rows_are_tensors(tmp_path: Path, ops: list[Op]) -> None:
    graph = formats.read(file(tmp_path / "m.onnx", ops))
    found = {t.name: t for t in graph.tensors}
    assert {name: t.shape for name, t in found.items()} == {"w[0:2]": (2, 4), "w[2:6]": (4, 4)}
    assert np.array_equal(found["w[2:6]"].load(), W[2:])
    assert [x.op for x in graph.layers if x.tensors] == ["Dense", "Dense"]
    assert {e.name for e in graph.excluded} <= {"sizes", "zero", "two", "six", "five"}


WHOLE: dict[str, list[Op]] = {
    "rows are left out": [
        ("Slice", ["w", "zero", "two"], ["a"], {}),
        ("Slice", ["w", "two", "five"], ["b"], {}),
    ],
    "another axis": [("Split", ["w"], ["a", "b"], {"axis": 1})],
    "something reads it whole": [*CUT, ("ReduceSum", ["w"], ["s"], {}), ("Add", ["x", "s"], ["t"], {})],
}


@pytest.mark.parametrize("ops", WHOLE.values(), ids=WHOLE)
def test_what_is_not_cut_into_all_its_rows_stays_whole(tmp_path: Path, ops: list[Op]) -> None:
    graph = formats.read(file(tmp_path / "m.onnx", ops))
    assert {t.name for t in graph.tensors} == {"w"}


@pytest.mark.parametrize("is_typed", [False, True], ids=["raw", "one by one"])
def test_runs_are_written_into_their_places(tmp_path: Path, is_typed: bool) -> None:
    proto = model([*CUT, *USED], {"w": W * 0, **NUMBERS}, INPUTS, ["y", "v"])
    if is_typed:
        proto.graph.initializer[0].CopyFrom(
            helper.make_tensor("w", TensorProto.FLOAT, W.shape, np.zeros(W.size))
        )
    onnx.save(proto, tmp_path / "t.onnx")
    wb.transfer(file(tmp_path / "s.onnx", CUT), tmp_path / "t.onnx", output=tmp_path / "o.onnx", verify=False)
    (written,) = (t for t in onnx.load(tmp_path / "o.onnx").graph.initializer if t.name == "w")
    assert np.array_equal(onnx.numpy_helper.to_array(written), W)
