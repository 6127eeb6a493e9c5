"""convert to Keras where weights stand among values: tokens before an image's, rows of a table by number."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved, values
from test_convert import classes_of, converted

import weightbridge as wb
from weightbridge.converting.from_graph import Settings, drawn
from weightbridge.errors import Unsupported

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


PAIRS = np.arange(25).reshape(5, 5) % 9


def scores_with(path: Path, ops: list[Op], **tensors: np.ndarray) -> tuple[list[str], Path]:
    """A bias of relative positions for two heads of five steps, added to scores."""
    whole = {"pairs": PAIRS, "rows": np.array([25], np.int64), "square": np.array([5, 5, 2], np.int64)}
    saved(path / "m.onnx", [*ops, ("Add", ["x", "bias"], ["y"], {})], {**WHOLE, **whole, **tensors},
          {"x": ["n", 2, 5, 5]}, ("y",))  # fmt: skip
    assert converted(path / "m.onnx", path / "m.keras")[0] == 0
    return classes_of(path / "m.keras"), path / "m.keras"


@pytest.mark.parametrize(
    ("ops", "table"),
    [
        (
            [
                ("Gather", ["bias.weight", "pairs"], ["looked"], {}),
                ("Transpose", ["looked"], ["turned"], {"perm": [2, 0, 1]}),
                ("Unsqueeze", ["turned", "front"], ["bias"], {}),
            ],
            values((9, 2)),
        ),
        (
            [
                ("Reshape", ["pairs", "rows"], ["flat"], {}),
                ("Gather", ["bias.weight", "flat"], ["looked"], {}),
                ("Reshape", ["looked", "square"], ["cut"], {}),
                ("Transpose", ["cut"], ["bias"], {"perm": [2, 0, 1]}),
            ],
            values((9, 2)),
        ),
        ([("Gather", ["bias.weight", "pairs"], ["bias"], {"axis": 1})], values((2, 9))),
    ],
    ids=["by pairs", "by one row", "of columns"],
)
def test_a_bias_of_relative_positions_is_an_embedding(ops: list[Op], table: Any, tmp_path: Path) -> None:
    front = np.array([0], np.int64)
    made, path = scores_with(tmp_path, ops, **{"bias.weight": table, "front": front})
    assert made.count("Embedding") == 1
    (layer,) = [one for one in wb.read(path).layers if one.class_name == "Embedding"]
    assert (layer.name, layer.tensors[0].shape) == ("bias", (9, 2))


def test_what_is_computed_from_a_table_is_no_lookup(tmp_path: Path) -> None:
    """Numbers twice as large are none of the table's rows."""
    ops: list[Op] = [
        ("Mul", ["bias.weight", "two"], ["twice"], {}),
        ("Gather", ["twice", "pairs"], ["looked"], {}),
        ("Transpose", ["looked"], ["bias"], {"perm": [2, 0, 1]}),
        ("Add", ["x", "bias"], ["y"], {}),
    ]
    tensors = {"bias.weight": values((9, 2)), "two": np.float32(2), "pairs": PAIRS}
    saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 2, 5, 5]}, ("y",))
    with pytest.raises(Unsupported, match="does not follow from the file"):
        drawn(wb.read(tmp_path / "m.onnx"), Settings())


def test_a_token_of_one_axis_before_the_steps(tmp_path: Path) -> None:
    ops = [
        *BATCH,
        ("Expand", ["token", "asked"], ["tokens"], {}),
        ("Concat", ["tokens", "x"], ["y"], {"axis": 1}),
    ]
    assert layers(tmp_path, ops, token=values((4,))).count("Concatenate") == 1


def test_heads_that_several_queries_share(tmp_path: Path) -> None:
    """Grouped queries: keys of one head are repeated for two."""
    heads, grouped = np.array([0, 5, 4, 3], np.int64), np.array([0, 5, 2, 3], np.int64)
    ops: list[Op] = [
        ("MatMul", ["x", "q"], ["queries"], {}),
        ("Reshape", ["queries", "heads"], ["cut"], {}),
        ("Transpose", ["cut"], ["left"], {"perm": [0, 2, 1, 3]}),
        ("MatMul", ["x", "k"], ["keys"], {}),
        ("Reshape", ["keys", "grouped"], ["own"], {}),
        ("Transpose", ["own"], ["turned"], {"perm": [0, 2, 3, 1]}),
        ("Unsqueeze", ["turned", "second"], ["apart"], {}),
        ("Tile", ["apart", "often"], ["repeated"], {}),
        ("Reshape", ["repeated", "all"], ["right"], {}),
        ("MatMul", ["left", "right"], ["y"], {}),
    ]
    told = {"heads": heads, "grouped": grouped, "second": np.array([2]), "often": np.array([1, 1, 2, 1, 1]),
            "all": np.array([0, 4, 3, 5])}  # fmt: skip
    assert layers(tmp_path, ops, q=values((4, 12)), k=values((4, 6), 1), **told).count("Dense") == 2


def test_what_is_picked_of_equal_numbers_is_that_number(tmp_path: Path) -> None:
    """Kinds of tokens that a model looks up by data, though all are zero: one row of a table for all."""
    ops: list[Op] = [
        ("Cast", ["x"], ["whole"], {"to": 7}),
        ("Clip", ["whole", "least", "most"], ["places"], {}),
        ("Shape", ["x"], ["shape"], {}),
        ("Slice", ["shape", "first", "behind"], ["batch"], {}),
        ("Concat", ["batch", "nine"], ["asked"], {"axis": 0}),
        ("Expand", ["kinds", "asked"], ["all"], {}),
        ("GatherElements", ["all", "places"], ["own"], {"axis": 1}),
        ("Gather", ["kind.weight", "own"], ["kind"], {}),
        ("Gather", ["word.weight", "places"], ["words"], {}),
        ("Add", ["words", "kind"], ["y"], {}),
    ]
    tensors = {
        "nine": np.array([9], np.int64), "first": WHOLE["first"], "behind": WHOLE["behind"],
        "kinds": np.zeros((1, 9), np.int64), "least": np.int64(0), "most": np.int64(8),
        "kind.weight": values((2, 4)), "word.weight": values((9, 4), 1),
    }  # fmt: skip
    for kinds, is_one in ((tensors["kinds"], True), (np.arange(9)[None] % 2, False)):
        saved(tmp_path / "m.onnx", ops, {**tensors, "kinds": kinds}, {"x": ["n", 5]}, ("y",))
        kind = [one.op for one in wb.read(tmp_path / "m.onnx").layers if one.class_name == "GatherElements"]
        assert bool(kind) != is_one
