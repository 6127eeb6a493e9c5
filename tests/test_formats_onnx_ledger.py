"""The ledger of an ONNX file: every tensor belongs to a layer, is left out with a reason, or is a finding."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_samples import Op, model, saved, values

from weightbridge import formats
from weightbridge.model.graph import LayerGraph

STATE = helper.make_tensor_value_info("s", TensorProto.FLOAT, [1, 4])
STEP = helper.make_tensor_value_info("t", TensorProto.FLOAT, [1, 4])
INNER = numpy_helper.from_array(values((4, 4), 5), "inner")


def body(as_node: bool) -> onnx.GraphProto:
    """One step: s' = relu(s inner + t)."""
    constant = [helper.make_node("Constant", [], ["inner"], value=INNER)] if as_node else []
    nodes = [
        *constant,
        helper.make_node("MatMul", ["s", "inner"], ["m"]),
        helper.make_node("Add", ["m", "t"], ["a"]),
        helper.make_node("Relu", ["a"], ["s2"]),
        helper.make_node("Identity", ["s2"], ["o"]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("s2", "o")]
    return helper.make_graph(nodes, "body", [STATE, STEP], outputs, [] if as_node else [INNER])


def accounted(graph: LayerGraph) -> set[str]:
    named = {t.name.rpartition("/")[2] for t in graph.tensors} | {e.name for e in graph.excluded}
    return named | {f.source.rpartition("/")[2] for f in graph.findings}


@pytest.mark.parametrize("as_node", [False, True], ids=["initializer", "constant"])
def test_weights_inside_a_scan_are_tensors(tmp_path: Path, as_node: bool) -> None:
    scan: Op = ("Scan", ["s0", "x"], ["s1", "y"], {"num_scan_inputs": 1, "body": body(as_node)})
    graph = formats.read(saved(tmp_path / "m.onnx", [scan], {"s0": values((1, 4))}, {"x": [3, 1, 4]}, ["y"]))
    assert accounted(graph) == {"s0", "inner"}
    assert any(t.name.endswith("inner") for t in graph.tensors)


def test_weights_of_a_scan_over_constants_are_a_finding(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("Scan", ["s0", "c"], ["s1", "e"], {"num_scan_inputs": 1, "body": body(False)}),
        ("Shape", ["e"], ["n"], {}),
        ("Reshape", ["x", "n"], ["y"], {}),
    ]
    given = {"s0": values((1, 4)), "c": values((3, 1, 4), 2)}
    graph = formats.read(saved(tmp_path / "m.onnx", ops, given, {"x": [3, 1, 4]}, ["y"]))
    assert accounted(graph) == {"s0", "c", "inner"}
    assert [(f.code, f.source) for f in graph.findings] == [("WB107", "s1/inner")]


@pytest.mark.parametrize("takes", [(), ("alpha",)])
def test_weights_of_a_function_are_held_or_a_finding(takes: tuple[str, ...], tmp_path: Path) -> None:
    """A function that takes attributes is not put in the place of its calls."""
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(values((4, 4)), "k")),
        helper.make_node("MatMul", ["a", "k"], ["b"]),
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    proto = model([("Relu", ["x"], ["r"], {})], {}, {"x": ["n", 4]}, ["y"])
    proto.graph.node.append(helper.make_node("F", ["r"], ["y"], domain="own"))
    function = helper.make_function("own", "F", ["a"], ["b"], nodes, opsets[:1], list(takes))
    proto.functions.append(function)
    onnx.save(proto, tmp_path / "m.onnx")
    graph = formats.read(tmp_path / "m.onnx")
    assert [f.code for f in graph.findings] == (["WB107"] if takes else [])
    kernels = [tensor for tensor in graph.tensors if tensor.role == "kernel"]
    assert len(kernels) == (0 if takes else 1)
    assert all(np.array_equal(kernel.load(), values((4, 4))) for kernel in kernels)


def test_what_nothing_reads_is_left_out_with_a_reason(tmp_path: Path) -> None:
    given = {
        "w": values((4, 3)),
        "idle": values((5, 5)),
        "count": np.int64(7),
        "codes": np.zeros((2, 2), "i1"),
    }
    graph = formats.read(
        saved(tmp_path / "m.onnx", [("MatMul", ["x", "w"], ["y"], {})], given, {"x": ["n", 4]}, ["y"])
    )
    assert [t.name for t in graph.tensors] == ["w"]
    assert {(e.name, e.reason) for e in graph.excluded} == {(n, "state") for n in ("idle", "count", "codes")}
    assert not graph.findings


@pytest.mark.parametrize(
    ("inputs", "bias", "shape"),
    [({"x": [4, "n"]}, (3, 1), (3, 4)), ({"x": [4]}, (3,), (3, 4)), ({"x": ["b", 4, "n"]}, (3, 1), (3, 4))],
    ids=["columns", "vector", "batch"],
)
def test_a_matrix_on_the_left_is_a_dense(
    tmp_path: Path, inputs: dict[str, list[int | str]], bias: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    ops: list[Op] = [("MatMul", ["w", "x"], ["m"], {}), ("Add", ["m", "b"], ["y"], {})]
    given = {"w": values(shape), "b": values(bias)}
    graph = formats.read(saved(tmp_path / "m.onnx", ops, given, inputs, ["y"]))
    (dense,) = (layer for layer in graph.layers if layer.tensors)
    assert (dense.op, dense.attributes["units"], dense.attributes["transposed"]) == ("Dense", 3, True)
    assert {t.name: (t.role, t.axes.split()[-1]) for t in dense.tensors}["w"] == ("kernel", "i")
    assert dense.tensor("bias") is not None


def test_a_product_of_two_values_is_no_dense(tmp_path: Path) -> None:
    ops: list[Op] = [("Transpose", ["x"], ["t"], {"perm": [0, 2, 1]}), ("MatMul", ["x", "t"], ["y"], {})]
    graph = formats.read(saved(tmp_path / "m.onnx", ops, {}, {"x": ["b", 3, 4]}, ["y"]))
    assert [layer.op for layer in graph.layers] == ["Input", "Permute", "MatMul"]
