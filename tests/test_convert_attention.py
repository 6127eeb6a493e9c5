"""Attention that an exporter wrote in pieces is MultiHeadAttention again, and what is none is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import saved, values
from test_convert import classes_of, converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


OPS = [
    *(("MatMul", ["x", f"{name}.weight"], [name], {}) for name in ("q", "k", "v")),
    *(("Reshape", [name, "cut"], [f"{name}_cut"], {}) for name in ("q", "k", "v")),
    *(("Transpose", [f"{name}_cut"], [f"{name}_heads"], {"perm": [0, 2, 1, 3]}) for name in ("q", "v")),
    ("Transpose", ["k_cut"], ["k_heads"], {"perm": [0, 2, 3, 1]}),
    ("MatMul", ["q_heads", "k_heads"], ["scores"], {}),
    ("Mul", ["scores", "scale"], ["scaled"], {}),
    ("Softmax", ["scaled"], ["weights"], {"axis": -1}),
    ("MatMul", ["weights", "v_heads"], ["mixed"], {}),
    ("Transpose", ["mixed"], ["turned"], {"perm": [0, 2, 1, 3]}),
    ("Reshape", ["turned", "joined"], ["flat"], {}),
    ("MatMul", ["flat", "out.weight"], ["y"], {}),
]  # fmt: skip
TENSORS = {
    **{f"{name}.weight": values((12, 12), seed) for seed, name in enumerate(("q", "k", "v", "out"))},
    "cut": np.array([0, 0, 3, 4], np.int64),
    "joined": np.array([0, 0, 12], np.int64),
    "scale": np.float32(0.5),
}


def classes(path: Path, **changed: tuple[str, Any]) -> list[str]:
    """The layers' classes, where the ops that give these values are others."""
    ops = [changed.get(op[2][0], op) for op in OPS]
    saved(path / "m.onnx", ops, TENSORS, {"x": ["n", 5, 12]}, {"y": ["n", 5, 12]})
    assert converted(path / "m.onnx", path / "m.keras")[0] == 0
    return classes_of(path / "m.keras")


def test_by_hand(tmp_path: Path) -> None:
    assert classes(tmp_path) == ["InputLayer", "MultiHeadAttention"]


def test_another_scale_is_in_the_kernel(tmp_path: Path) -> None:
    scaled = ("Div", ["scores", "scale"], ["scaled"], {})
    assert classes(tmp_path, scaled=scaled) == ["InputLayer", "MultiHeadAttention"]


def test_a_softmax_over_the_queries_is_none(tmp_path: Path) -> None:
    other = ("Softmax", ["scaled"], ["weights"], {"axis": -2})
    assert "MultiHeadAttention" not in classes(tmp_path, weights=other)


def test_scores_that_something_else_reads_are_none(tmp_path: Path) -> None:
    """The values are mixed by the product of the scores themselves, with the softmax unread behind them."""
    other = ("MatMul", ["scaled", "v_heads"], ["mixed"], {})
    assert "MultiHeadAttention" not in classes(tmp_path, mixed=other)


def test_all_projections_in_one_product(tmp_path: Path) -> None:
    """(n, 5, 36) is cut into query, key and value by a Split along an axis of its own."""
    ops = [
        ("MatMul", ["x", "qkv.weight"], ["qkv"], {}),
        ("Reshape", ["qkv", "threefold"], ["apart"], {}),
        ("Transpose", ["apart"], ["turned3"], {"perm": [2, 0, 3, 1, 4]}),
        ("Split", ["turned3", "each"], ["a", "b", "c"], {"axis": 0}),
        *(
            ("Squeeze", [part, "zero"], [f"{name}_heads"], {})
            for part, name in zip("acb", "qvt", strict=True)
        ),
        ("Transpose", ["t_heads"], ["k_heads"], {"perm": [0, 1, 3, 2]}),
        *OPS[9:],
    ]
    whole = {"threefold": [0, 0, 3, 3, 4], "each": [1, 1, 1], "zero": [0]}
    tensors = {**TENSORS, **{name: np.array(numbers, np.int64) for name, numbers in whole.items()}}
    tensors["qkv.weight"] = values((12, 36), 9)
    saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 5, 12]}, {"y": ["n", 5, 12]})
    assert converted(tmp_path / "m.onnx", tmp_path / "m.keras")[0] == 0
    assert classes_of(tmp_path / "m.keras") == ["InputLayer", "MultiHeadAttention"]
