"""Places that each item of a batch picks for itself, and branches that are decided."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_samples import Op, model, saved
from test_convert import converted

from weightbridge import formats
from weightbridge.formats.onnx.file import folded
from weightbridge.formats.onnx.running.inputs import inputs_of

NUMBERS = {
    "zero": np.array(0), "one": np.array(1), "steps": np.array(5), "behind": np.array([-1]),
    "middle": np.array([1]),
}  # fmt: skip
ITEMS: list[Op] = [
    ("Shape", ["x"], ["lengths"], {}),
    ("Gather", ["lengths", "zero"], ["count"], {}),
    ("Range", ["zero", "count", "one"], ["items"], {}),
    ("Sub", ["length", "one"], ["last"], {}),
]
PICKED: dict[str, list[Op]] = {
    "of_a_row": [
        ("Flatten", ["x"], ["row"], {"axis": 2}),
        ("Mul", ["items", "steps"], ["begins"], {}),
        ("Add", ["last", "begins"], ["number"], {}),
        ("Gather", ["row", "number"], ["of_a_row"], {}),
    ],
    "of_items": [
        ("Unsqueeze", ["items", "behind"], ["first"], {}),
        ("Unsqueeze", ["last", "behind"], ["second"], {}),
        ("Concat", ["first", "second"], ["pairs"], {"axis": -1}),
        ("GatherND", ["x", "pairs"], ["of_items"], {}),
    ],
    "of_each": [
        ("Unsqueeze", ["last", "behind"], ["column"], {}),
        ("GatherND", ["x", "column"], ["of_each"], {"batch_dims": 1}),
    ],
    "of_two": [
        ("Concat", ["column", "column"], ["both"], {"axis": 1}),
        ("Unsqueeze", ["both", "behind"], ["columns"], {}),
        ("GatherND", ["x", "columns"], ["of_two"], {"batch_dims": 1}),
    ],
}


def picked(path: Path) -> Path:
    ops = [*ITEMS, *(op for ops in PICKED.values() for op in ops)]
    made = model(ops, NUMBERS, {"x": ["n", 5, 3], "length": ["n"]}, list(PICKED))
    made.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(made, path)
    return path


def test_each_form_is_one_layer_and_its_numbers_are_places(tmp_path: Path) -> None:
    path = picked(tmp_path / "m.onnx")
    layers = [layer for layer in formats.read(path).layers if layer.class_name == "PickedByItem"]
    assert [layer.name for layer in layers] == list(PICKED)
    parsed, found = folded(path)
    fed = {spec.name: spec for spec in inputs_of(parsed.graph, found)}
    assert (fed["length"].least, fed["length"].vocabulary) == (1, 5)  # a length of one is the place 0


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_each_form_picks_the_same(tmp_path: Path) -> None:
    code, report = converted(picked(tmp_path / "m.onnx"), tmp_path / "m.keras", "--evidence", "quick")
    assert code == 0, report["findings"]
    compared = {o["name"]: o["status"] for o in report["verification"]["outputs"]}
    assert compared == dict.fromkeys(PICKED, "equal")


@pytest.mark.parametrize(("length", "kept"), [(1, "Squeeze"), (5, "Identity")])
def test_a_branch_that_a_length_decides_is_read(length: int, kept: str, tmp_path: Path) -> None:
    """torch writes `squeeze(1)` so, where it does not know how long the axis is."""
    shown = [helper.make_tensor_value_info("s", TensorProto.FLOAT, None)]
    one = helper.make_node("Squeeze", ["x", "middle"], ["s"])
    other = helper.make_node("Identity", ["x"], ["s"])
    branches = {
        "then_branch": helper.make_graph([one], "then", [], shown),
        "else_branch": helper.make_graph([other], "else", [], shown),
    }
    ops: list[Op] = [
        ("Shape", ["x"], ["lengths"], {}),
        ("Gather", ["lengths", "one"], ["length"], {}),
        ("Equal", ["length", "one"], ["is_one"], {}),
        ("If", ["is_one"], ["i"], branches),
        ("Neg", ["i"], ["y"], {}),
    ]
    tensors = {name: NUMBERS[name] for name in ("one", "middle")}
    graph = formats.read(saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", length, 3]}, ["y"]))
    assert [layer.class_name for layer in graph.layers] == ["x", kept, "Identity", "Neg"]
