"""convert to Keras where weights stand among values: tokens before an image's, rows of a table by number."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, values
from test_convert import classes_of, converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
WHOLE = {
    "first": np.array([0], np.int64),
    "behind": np.array([1], np.int64),
    "rest": np.array([1, 4], np.int64),
    "places": np.array([[2, 0, 0, 5, 1]], np.int64),
}
BATCH = [
    ("Shape", ["x"], ["shape"], {}),
    ("Slice", ["shape", "first", "behind"], ["batch"], {}),
    ("Concat", ["batch", "rest"], ["asked"], {"axis": 0}),
]


def layers(path: Path, ops: list[Op], **tensors: np.ndarray) -> list[str]:
    saved(path / "m.onnx", ops, {**WHOLE, **tensors}, {"x": ["n", 5, 4]}, ("y",))
    assert converted(path / "m.onnx", path / "m.keras")[0] == 0
    return classes_of(path / "m.keras")


def test_a_token_before_the_steps(tmp_path: Path) -> None:
    ops = [
        *BATCH,
        ("Expand", ["token", "asked"], ["tokens"], {}),
        ("Concat", ["tokens", "x"], ["joined"], {"axis": 1}),
        ("Mul", ["joined", "table"], ["y"], {}),
    ]
    made = layers(tmp_path, ops, token=values((1, 1, 4)), table=values((1, 6, 4), 1))
    assert made.count("Concatenate") == 1
    assert made.count("EinsumDense") == 2


def test_rows_of_a_table_by_number(tmp_path: Path) -> None:
    ops = [("Gather", ["table", "places"], ["rows"], {}), ("Add", ["x", "rows"], ["y"], {})]
    assert layers(tmp_path, ops, table=values((7, 4))) == ["InputLayer", "EinsumDense"]


def test_numbers_that_are_the_same_for_each_item_of_a_batch(tmp_path: Path) -> None:
    """The numbers are repeated for a batch whose length is open."""
    ops = [
        *BATCH,
        ("Expand", ["places", "asked"], ["repeated"], {}),
        ("Gather", ["table", "repeated"], ["rows"], {}),
        ("Add", ["x", "rows"], ["y"], {}),
    ]
    asked = np.array([5], np.int64)
    assert layers(tmp_path, ops, table=values((7, 4)), rest=asked) == ["InputLayer", "EinsumDense"]


def test_numbers_among_channels_stand_in_the_configuration(tmp_path: Path) -> None:
    ops = [("Concat", ["x", "more"], ["y"], {"axis": 2})]
    path = saved(tmp_path / "m.onnx", ops, {"more": values((1, 5, 2))}, {"x": [1, 5, 4]}, ("y",))
    code, report = converted(path, tmp_path / "m.keras")
    assert code == 0
    assert [one["source"] for one in report["unused"]] == ["more"]
    assert any("not trained: more" in finding["message"] for finding in report["findings"])
