"""Learned queries, and zeros that a cell begins with: made of constants for each item, and computed with."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_samples import Op, saved, values
from test_convert import classes_of, converted

import weightbridge as wb
from weightbridge import formats

BATCH: list[Op] = [("Shape", ["x"], ["lengths"], {}), ("Slice", ["lengths", "zero", "one"], ["batch"], {})]
LEARNED: list[Op] = [
    *BATCH,
    ("Concat", ["batch", "sizes"], ["shape"], {"axis": 0}),
    ("Expand", ["net.queries", "shape"], ["queries"], {}),
    ("MatMul", ["queries", "net.key"], ["keys"], {}),
    ("Mul", ["keys", "x"], ["learned"], {}),
]
ZEROS: list[Op] = [
    ("Concat", ["batch", "width"], ["state"], {"axis": 0}),
    ("ConstantOfShape", ["state"], ["begin"], {}),
    ("Gemm", ["begin", "net.key", "net.bias"], ["product"], {}),
    ("ReduceSum", ["x", "one"], ["sum"], {"keepdims": 0}),
    ("Add", ["product", "sum"], ["begun"], {}),
]
TIME_FIRST: list[Op] = [
    ("Transpose", ["x"], ["steps"], {"perm": [1, 0, 2]}),
    ("Concat", ["one", "batch", "one"], ["repeats"], {"axis": 0}),
    ("Tile", ["net.last", "repeats"], ["last"], {}),
    ("Concat", ["steps", "last"], ["longer"], {"axis": 0}),
    ("Transpose", ["longer"], ["beside"], {"perm": [1, 0, 2]}),
]
OUTPUTS = ("learned", "begun", "beside")


def per_item(path: Path) -> Path:
    tensors = {
        "zero": np.array([0]), "one": np.array([1]), "sizes": np.array([3, 4]), "width": np.array([4]),
        "net.queries": values((1, 3, 4), 1), "net.key": values((4, 4), 2), "net.bias": values((4,), 3),
        "net.last": values((1, 1, 4), 4),
    }  # fmt: skip
    return saved(path, [*LEARNED, *ZEROS, *TIME_FIRST], tensors, {"x": ["n", 3, 4]}, OUTPUTS)


def test_each_is_a_layer_of_the_batch_of_an_input(tmp_path: Path) -> None:
    graph = formats.read(per_item(tmp_path / "m.onnx"))
    made = [layer for layer in graph.layers if layer.class_name == "PerItem"]
    assert [layer.attributes["whole_shape"] for layer in made] == [(-1, 3, 4), (-1, 4), (1, -1, 4)]
    assert [[tensor.name for tensor in layer.tensors] for layer in made] == [
        ["net.queries"],
        [],
        ["net.last"],
    ]
    assert [graph.parents[layer.name] for layer in made] == [("x",)] * 3
    assert [layer.op for layer in graph.layers if layer.tensors].count("Dense") == 2


def test_a_weight_that_is_only_added_stays_one_of_the_sum(tmp_path: Path) -> None:
    ops: list[Op] = [*LEARNED[:-2], ("Add", ["x", "queries"], ["y"], {})]
    tensors = {"zero": np.array([0]), "one": np.array([1]), "sizes": np.array([3, 4])}
    tensors["net.queries"] = values((1, 3, 4), 1)
    graph = formats.read(saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 3, 4]}, ["y"]))
    assert "PerItem" not in [layer.class_name for layer in graph.layers]


def test_zeros_that_a_loop_over_data_begins_with_stay_its_own(tmp_path: Path) -> None:
    """A GRU of tf2onnx: the loop reads the sequence from the graph around it."""
    state, flag = (helper.make_tensor_value_info(n, t, None) for n, t in (("s", 1), ("c", TensorProto.BOOL)))
    count = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    nodes = [
        helper.make_node("Identity", ["c"], ["c_out"]),
        helper.make_node("ReduceSum", ["x", "one"], ["seen"], keepdims=0),
        helper.make_node("Add", ["s", "seen"], ["s_out"]),
    ]
    shown = [
        helper.make_tensor_value_info(n, t, None) for n, t in (("c_out", TensorProto.BOOL), ("s_out", 1))
    ]
    body = helper.make_graph(nodes, "body", [count, flag, state], shown)
    ops: list[Op] = [
        *BATCH,
        ("Concat", ["batch", "width"], ["state"], {"axis": 0}),
        ("ConstantOfShape", ["state"], ["begin"], {}),
        ("Loop", ["times", "", "begin"], ["end"], {"body": body}),
        ("MatMul", ["end", "net.key"], ["y"], {}),
    ]  # fmt: skip
    tensors = {"zero": np.array([0]), "one": np.array([1]), "width": np.array([4]), "times": np.array(3)}
    tensors["net.key"] = values((4, 4), 2)
    graph = formats.read(saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 3, 4]}, ["y"]))
    assert [layer.class_name for layer in graph.layers] == ["x", "Loop", "MatMul"]


@pytest.mark.framework  # onnxruntime
def test_biases_that_are_added_to_each_other_are_no_control(tmp_path: Path) -> None:
    """A cell of torch has two: no order of them makes another model."""
    ops: list[Op] = [
        ("Gemm", ["x", "a.weight", "a.bias"], ["left"], {}),
        ("Gemm", ["s", "b.weight", "b.bias"], ["right"], {}),
        ("Add", ["left", "right"], ["sum"], {}),
        ("Sigmoid", ["sum"], ["y"], {}),
    ]
    tensors = {"a.weight": values((3, 4), 1), "a.bias": values((4,), 2)}
    tensors |= {"b.weight": values((2, 4), 3), "b.bias": values((4,), 4)}
    inputs = {"x": ["n", 3], "s": ["n", 2]}
    path = saved(tmp_path / "m.onnx", ops, tensors, inputs, ["y"])
    zeros = {name: np.zeros_like(array) for name, array in tensors.items()}
    target = saved(tmp_path / "t.onnx", ops, zeros, inputs, ["y"])
    report = wb.transfer(path, target, output=tmp_path / "o.onnx", evidence="quick")
    controls = {one["name"]: one for one in report.verification.evidence["controls"]}
    assert "added to each other" in controls["plan shuffled among same-shape tensors"]["reason"]


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_each_computes_the_same_and_is_trained(tmp_path: Path) -> None:
    output = tmp_path / "m.keras"
    code, report = converted(per_item(tmp_path / "m.onnx"), output, "--evidence", "quick")
    assert code == 0, report["findings"]
    compared = {o["name"]: o["status"] for o in report["verification"]["outputs"]}
    assert compared == dict.fromkeys(OUTPUTS, "equal")
    assert classes_of(output).count("Embedding") == 2
