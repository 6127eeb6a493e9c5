"""Masked attention of ONNX files: which of it is Keras's layer with a mask, and which stays in pieces."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_samples import model as onnx_model
from onnx_samples import saved, values
from test_convert import converted
from test_convert_attention import OPS, TENSORS

import weightbridge as wb
from weightbridge.converting.from_graph import Settings, drawn
from weightbridge.errors import Unsupported

STEPS = 5
TRIANGLE = np.tri(STEPS, dtype=bool)
BAND = np.abs(np.subtract.outer(np.arange(STEPS), np.arange(STEPS))) < 2
LOW = np.float32(-np.inf)
SEEN = ("Unsqueeze", ["keys", "between"], ["seen"], {})
FILLED = [SEEN, ("Not", ["seen"], ["hidden"], {}), ("Where", ["hidden", "low", "scaled"], ["masked"], {})]
GUARDED = [
    ("IsNaN", ["weights"], ["none"], {}),
    ("Where", ["none", "nought", "weights"], ["guarded"], {}),
]
AGAIN = [("Where", ["seen", "weights", "nought"], ["guarded"], {})]
CAUSAL = [("Where", ["triangle", "scaled", "low"], ["masked"], {})]
LEFT = [("Where", ["left", "weights", "nought"], ["guarded"], {})]
DROPPED = [*GUARDED[:-1], ("Where", ["none", "nought", "weights"], ["kept"], {}),
           ("Dropout", ["kept", "rate"], ["guarded"], {})]  # fmt: skip
BERT = [
    ("Cast", ["keys"], ["ones"], {"to": 1}),
    ("Unsqueeze", ["ones", "between"], ["seen"], {}),
    ("Sub", ["one", "seen"], ["hidden"], {}),
    ("Mul", ["hidden", "low"], ["added"], {}),
    ("Add", ["scaled", "added"], ["masked"], {}),
]

BATCH = [
    ("Shape", ["x"], ["shape"], {}),
    ("Gather", ["shape", "first"], ["batch"], {}),
    ("Unsqueeze", ["batch", "front"], ["count"], {}),
    ("Concat", ["count", "whole"], ["target"], {"axis": 0}),
]
PICKED = [  # as torch writes mask[items, keys]: places in one row of all items
    *BATCH,
    ("Cast", ["keys"], ["known"], {"to": 9}),
    ("Range", ["first", "batch", "second"], ["items"], {}),
    ("Unsqueeze", ["items", "behind"], ["column"], {}),
    ("Mul", ["column", "length"], ["begins"], {}),
    ("Add", ["places", "begins"], ["indices"], {}),
    ("Flatten", ["known"], ["row"], {"axis": 2}),
    ("Gather", ["row", "indices"], ["picked"], {}),
    ("Reshape", ["picked", "one row"], ["line"], {}),
    ("Shape", ["indices"], ["told"], {}),
    ("Reshape", ["line", "told"], ["again"], {}),
    ("And", ["trues", "again"], ["both"], {}),
    ("Expand", ["both", "target"], ["spread"], {}),
    ("Where", ["spread", "nought", "low"], ["added"], {}),
    ("Add", ["scaled", "added"], ["masked"], {}),
]
ALIKE = [
    *BATCH,
    ("Expand", ["triangle", "target"], ["spread"], {}),
    ("Where", ["spread", "nought", "low"], ["added"], {}),
    ("Add", ["scaled", "added"], ["masked"], {}),
]
PLACES = {
    "first": np.int64(0), "second": np.int64(1), "front": np.array([0]), "one row": np.array([-1]),
    "whole": np.array([1, STEPS, STEPS]), "behind": np.array([1, 2, 3]), "length": np.array([STEPS]),
    "places": np.arange(STEPS).reshape(1, 1, 1, STEPS), "trues": np.ones((1, 1, STEPS, 1), bool),
    "low": LOW, "nought": np.float32(0), "triangle": TRIANGLE,
}  # fmt: skip


def added(mask: Any, low: Any = LOW) -> tuple[list[Any], dict[str, Any]]:
    """A mask that is added, as an initializer."""
    return [("Add", ["scaled", "mask"], ["masked"], {})], {"mask": np.where(mask, 0, low).astype("float32")}


def filled(low: Any = LOW) -> dict[str, Any]:
    return {"between": np.array([1, 2], np.int64), "low": np.float32(low), "one": np.float32(1)}


def model(path: Path, ops: list[Any], tensors: dict[str, Any], behind: Any = (), keys: Any = bool) -> Path:
    """Attention whose softmax reads `masked`; what is behind it gives `guarded`."""
    pieces = []
    for op, fed, out, settings in OPS:
        if op == "Softmax":
            pieces += [*ops, (op, ["masked"], out, settings), *behind]
        else:
            seen = ["guarded" if one == "weights" and behind else one for one in fed]
            pieces.append((op, seen, out, settings))
    inputs: dict[str, Any] = {"x": ["n", STEPS, 12]}
    if any("keys" in op[1] for op in ops):
        inputs["keys"] = ["n", STEPS]
    made = onnx_model(pieces, {**TENSORS, **tensors}, inputs, {"y": ["n", STEPS, 12]})
    for info in made.graph.input[1:]:
        info.type.tensor_type.elem_type = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(keys))
    onnx.save(made, path / "m.onnx")
    return path / "m.onnx"


def attention(path: Path) -> dict[str, Any] | None:
    """The keyword arguments of the layer's call; None where there is no such layer."""
    layers = drawn(wb.read(path), Settings()).config["config"]["layers"]
    calls = [layer["inbound_nodes"] for layer in layers if layer["class_name"] == "MultiHeadAttention"]
    return calls[0][0]["kwargs"] if calls else None


def test_a_causal_mask_is_a_setting_of_the_call(tmp_path: Path) -> None:
    for low in (LOW, -1e9, -1e4):
        assert attention(model(tmp_path, *added(TRIANGLE, low))) == {"use_causal_mask": True}


def test_another_constant_mask_is_an_argument(tmp_path: Path) -> None:
    given = attention(model(tmp_path, *added(BAND)))
    assert given is not None
    assert given["attention_mask"]["config"] == {"value": BAND[None].tolist(), "dtype": "bool"}


def test_none_at_all_is_left_out(tmp_path: Path) -> None:
    assert attention(model(tmp_path, *added(np.ones((STEPS, STEPS), bool)))) == {}


@pytest.mark.parametrize(
    "mask",
    [
        values((STEPS, STEPS), 4),
        np.where(TRIANGLE, 0, -3.0),
        np.where(TRIANGLE & (np.arange(STEPS) > 0)[:, None], 0, LOW),
    ],
    ids=["bias", "mild", "row without keys"],
)
def test_what_is_more_than_a_mask_stays_in_pieces(mask: Any, tmp_path: Path) -> None:
    tensors = {"mask": mask.astype("float32")}
    assert attention(model(tmp_path, [("Add", ["scaled", "mask"], ["masked"], {})], tensors)) is None


@pytest.mark.parametrize(
    ("ops", "low", "behind", "dtype", "is_layer"),
    [
        (FILLED, LOW, (), bool, True),
        (FILLED, -1e9, (), bool, True),
        (FILLED, -2.0, (), bool, False),
        (FILLED, LOW, GUARDED, bool, True),
        (FILLED, LOW, DROPPED, bool, True),
        (FILLED, LOW, AGAIN, bool, False),
        (BERT, -3e38, (), "int64", True),
        (BERT, -1e4, (), "int64", False),
        (BERT, -3e38, (), "float32", False),
    ],
    ids=[
        "filled",
        "filled low",
        "mild",
        "zeros",
        "zeros and dropout",
        "zeros again",
        "added",
        "added, scores stay",
        "floats",
    ],
)
def test_a_mask_of_data(
    ops: Any, low: float, behind: Any, dtype: Any, is_layer: bool, tmp_path: Path
) -> None:
    tensors = {**filled(low), "nought": np.float32(0), "rate": np.float32(0.1)}
    given = attention(model(tmp_path, ops, tensors, behind, dtype))
    assert (given is not None and "attention_mask" in given) == is_layer


def test_a_row_without_keys_gives_zeros_where_the_weights_are_asked_for(tmp_path: Path) -> None:
    tensors = {**filled(), "nought": np.float32(0), "rate": np.float32(0.1)}
    for behind, asks in ((GUARDED, True), (DROPPED, False), ((), False)):
        given = attention(model(tmp_path, FILLED, tensors, behind))
        assert given is not None
        assert ("return_attention_scores" in given) == asks


def test_a_mask_picked_from_a_row_of_all_items_is_that_of_each_item(tmp_path: Path) -> None:
    given = attention(model(tmp_path, PICKED, PLACES, keys="int64"))
    assert given is not None
    assert given["attention_mask"]["config"]["shape"] == [None, 1, STEPS]
    wrong = {**PLACES, "length": np.array([STEPS + 1])}  # the places of no item
    with pytest.raises(Unsupported, match="Gather "):
        attention(model(tmp_path, PICKED, wrong, keys="int64"))


def test_a_constant_that_is_alike_in_all_items_is_one(tmp_path: Path) -> None:
    assert attention(model(tmp_path, ALIKE, PLACES)) == {"use_causal_mask": True}


@pytest.mark.parametrize(("left", "is_layer"), [(TRIANGLE, True), (BAND, False)], ids=["the same", "less"])
def test_zeros_behind_the_softmax_may_not_take_more(left: Any, is_layer: bool, tmp_path: Path) -> None:
    """Keras's own file has the mask twice."""
    tensors = {"triangle": TRIANGLE, "left": left, "low": np.float32(-1e9), "nought": np.float32(0)}
    assert (attention(model(tmp_path, CAUSAL, tensors, LEFT)) is not None) == is_layer


def test_sums_of_sums_before_a_softmax_are_followed_once(tmp_path: Path) -> None:
    """Each doubles the number of ways back to the product."""
    ops: list[Any] = [("MatMul", ["x", "q.weight"], ["sum0"], {})]
    for n in range(60):
        ops.append(("Mul", [f"sum{n}", "half"], [f"half{n}"], {}))
        ops.append(("Add", [f"sum{n}", f"half{n}"], [f"sum{n + 1}"], {}))
    ops.append(("Softmax", ["sum60"], ["y"], {}))
    tensors = {"q.weight": values((12, 12)), "half": np.float32(0.5)}
    saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 12]}, ["y"])
    layers = drawn(wb.read(tmp_path / "m.onnx"), Settings()).config["config"]["layers"]
    assert sum(layer["class_name"] == "Add" for layer in layers) == 60


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
@pytest.mark.parametrize(
    "made",
    [
        added(TRIANGLE),
        added(BAND),
        (FILLED, filled(-1e9)),
        (FILLED, {**filled(), "nought": np.float32(0)}, GUARDED),
        (BERT, filled(-3e38)),
        (PICKED, PLACES),
    ],
    ids=["causal", "band", "filled", "zeros", "added", "picked"],
)
def test_it_computes_the_same(made: Any, tmp_path: Path) -> None:
    path = model(tmp_path, *made, keys="int64" if made[0] in (BERT, PICKED) else bool)
    assert converted(path, tmp_path / "m.keras")[0] == 0
