"""What ONNX nodes say beyond the compared attributes.

Ports, names of inputs, constants, attributes with defaults.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_samples import Op, saved, values

from weightbridge import formats
from weightbridge.model.graph import LayerGraph, Port

INPUT = {"input": 0}


def read(
    path: Path, ops: Sequence[Op], tensors: Mapping[str, Any], outputs: Sequence[str] = ("y",), **kwargs: Any
) -> LayerGraph:
    shapes = kwargs.pop("inputs", {"x": ["n", 4, 6, 6]})
    return formats.read(saved(path, ops, tensors, shapes, outputs, **kwargs))


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


CASES: dict[str, tuple[Op, dict[str, Any], dict[str, Any]]] = {
    "slice": (
        ("Slice", ["x", "s", "e", "a", "t"], ["y"], {}),
        {"s": whole(1), "e": whole(5), "a": whole(2), "t": whole(2)},
        {"starts": (1,), "ends": (5,), "axes": (2,), "steps": (2,)},
    ),
    "gather-scalar": (("Gather", ["x", "i"], ["y"], {"axis": 1}), {"i": np.array(2)},
        {"axis": 1, "indices": 2}),
    "gather-vector": (("Gather", ["x", "i"], ["y"], {}), {"i": whole(2)}, {"axis": 0, "indices": (2,)}),
    "resize": (
        ("Resize", ["x", "", "f"], ["y"],
            {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
        {"f": np.array([1, 1, 2, 2], "float32")},
        {"coordinate_transformation": "align_corners", "scales": (1.0, 1.0, 2.0, 2.0)},
    ),
    "resize-nearest": (
        ("Resize", ["x", "", "", "s"], ["y"], {}),
        {"s": whole(1, 4, 12, 12)},
        {"coordinate_transformation": "half_pixel", "rounding": "round_prefer_floor",
            "sizes": (1, 4, 12, 12)},
    ),
    "pad": (
        ("Pad", ["x", "p", "v"], ["y"], {}),
        {"p": whole(0, 0, 1, 1, 0, 0, 2, 2), "v": np.float32(0.5)},
        {"pads": ((0, 0), (0, 0), (1, 2), (1, 2))},
    ),
    "clip": (
        ("Clip", ["x", "l", "h"], ["y"], {}),
        {"l": np.float32(-1), "h": np.float32(2)},
        {"min": -1.0, "max": 2.0},
    ),
    "expand": (("Expand", ["x", "s"], ["y"], {}), {"s": whole(1, 4, 6, 6)}, {"target": (1, 4, 6, 6)}),
    "tile": (("Tile", ["x", "r"], ["y"], {}), {"r": whole(1, 1, 2, 3)}, {"repeats": (1, 1, 2, 3)}),
    "reshape": (("Reshape", ["x", "s"], ["y"], {}), {"s": whole(0, 4, -1)},
        {"target": (0, 4, -1), "allowzero": False}),
    "reduce": (
        ("ReduceSum", ["x", "a"], ["y"], {"keepdims": 0}),
        {"a": whole(1)},
        {"axes": (1,), "noop_with_empty_axes": False},
    ),
    "global-mean": (("ReduceMean", ["x"], ["y"], {"axes": [2, 3]}), {}, {"axes": (2, 3), "keepdims": True}),
    "argmax": (("ArgMax", ["x"], ["y"], {}), {}, {"axis": 0, "keepdims": True, "select_last_index": False}),
    "cast": (("Cast", ["x"], ["y"], {"to": 10}), {}, {"dtype": "float16"}),
    "dropout": (("Dropout", ["x", "r"], ["y"], {}), {"r": np.float32(0.3)}, {"rate": 0.3}),
    "softmax": (("Softmax", ["x"], ["y"], {"axis": 1}), {}, {"axis": 1}),
    "average-pool": (
        ("AveragePool", ["x"], ["y"], {"kernel_shape": [2, 2], "count_include_pad": 1, "ceil_mode": 1}),
        {},
        {"count_include_pad": True, "ceil_mode": True, "padding_mode": "explicit"},
    ),
    "constant-first": (
        ("Sub", ["c", "x"], ["y"], {}),
        {"c": np.float32(1)},
        {"arguments": (1.0, INPUT)},
    ),
    "power": (("Pow", ["x", "c"], ["y"], {}), {"c": np.float32(3)}, {"arguments": (INPUT, 3.0)}),
    "tensor": (
        ("Pow", ["x", "w"], ["y"], {}),
        {"w": values((4, 6, 6))},
        {"arguments": (INPUT, {"tensor": "0"})},
    ),
    "no-constant": (("Add", ["x", "x"], ["y"], {}), {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_constants_and_attributes_of_a_node(tmp_path: Path, case: str) -> None:
    op, tensors, expected = CASES[case]
    layer = read(tmp_path / "m.onnx", [op], tensors).layers[-1]
    assert {key: layer.details.get(key) for key in expected} == expected
    assert expected or not layer.details
    assert not layer.details.keys() & layer.attributes.keys()


def test_older_resizing_is_asymmetric(tmp_path: Path) -> None:
    op: Op = ("Resize", ["x", "f"], ["y"], {})
    graph = read(tmp_path / "m.onnx", [op], {"f": np.array([1, 1, 2, 2], "float32")}, opset=10)
    details = graph.layers[-1].details
    assert (details["coordinate_transformation"], details["rounding"]) == ("asymmetric", "floor")


def test_parts_of_a_split_say_which_they_are(tmp_path: Path) -> None:
    op: Op = ("Split", ["x", "l"], ["a", "b"], {"axis": 1})
    graph = read(tmp_path / "m.onnx", [op], {"l": whole(1, 3)}, ("a", "b"))
    runs = [
        (x.details["part"], x.details["start"], x.details["stop"]) for x in graph.layers if x.op == "Slice"
    ]
    assert runs == [(0, 0, 1), (1, 1, 4)]


WEIGHTS = {"W": values((1, 9, 4)), "R": values((1, 9, 3)), "B": values((1, 18))}


@pytest.mark.parametrize(
    ("outputs", "port", "expected"),
    [(["s", ""], 0, (True, False)), (["", "h"], 1, (False, True)), (["s", "h"], 1, (True, True))],
    ids=["sequence", "state-alone", "both"],
)
def test_the_state_of_a_gru_is_another_port_than_its_sequence(
    tmp_path: Path, outputs: list[str], port: int, expected: tuple[bool, bool]
) -> None:
    gru: Op = ("GRU", ["x", "W", "R", "B"], outputs, {"hidden_size": 3})
    read_by: Op = ("Relu", [outputs[port]], ["y"], {})
    ends = ("y", "s") if all(outputs) else ("y",)
    graph = read(
        tmp_path / "m.onnx", [gru, read_by], WEIGHTS, ends, inputs={"x": [5, "n", 4]}, names=["gru", "r"]
    )
    layer = next(x for x in graph.layers if x.op == "GRU")
    (edge,) = (e for e in graph.edges if e.source == layer.name)
    assert edge.port == port
    assert (layer.details["return_sequences"], layer.details["return_state"]) == expected
    assert graph.output_ports[1:] == ((Port(layer.name),) if all(outputs) else ())


def test_initial_states_and_lengths_come_by_name(tmp_path: Path) -> None:
    lstm: Op = ("LSTM", ["x", "W", "R", "", "", "h", "c"], ["y"], {"hidden_size": 3})
    tensors = {"W": values((1, 12, 4)), "R": values((1, 12, 3))}
    shapes = {"x": [5, "n", 4], "h": [1, "n", 3], "c": [1, "n", 3]}
    graph = read(tmp_path / "m.onnx", [lstm], tensors, inputs=shapes)
    assert [(e.source, e.position, e.keyword) for e in graph.edges] == [
        ("x", 0, ""),
        ("h", 1, "initial_state.0"),
        ("c", 2, "initial_state.1"),
    ]


def test_branches_of_a_where_come_by_name(tmp_path: Path) -> None:
    ops: list[Op] = [("Greater", ["x", "c"], ["g"], {}), ("Where", ["g", "x", "c"], ["y"], {})]
    graph = read(tmp_path / "m.onnx", ops, {"c": np.float32(0)})
    layer = graph.layers[-1]
    assert [e.keyword for e in graph.edges if e.target == layer.name] == ["condition", "x"]
    assert layer.details == {"y": 0.0}


MALFORMED: dict[str, Op] = {
    "perm": ("Transpose", ["x"], ["y"], {"perm": [0, 0, 9, 1]}),
    "axis": ("Concat", ["x", "x"], ["y"], {"axis": "channels"}),
    "axes": ("Squeeze", ["x"], ["y"], {"axes": 1.5}),
    "no-kernel": ("Conv", ["x"], ["y"], {}),
    "empty-input": ("Where", ["", "x", "w"], ["y"], {}),
    "strides": ("Conv", ["x", "w"], ["y"], {"strides": [1, 2, 3]}),
    "pads": ("MaxPool", ["x"], ["y"], {"kernel_shape": 3}),
    "mode": ("Resize", ["x"], ["y"], {"mode": 3}),
    "activations": ("LSTM", ["x", "w", "w"], ["y"], {"activations": [1, 2]}),
    "split": ("Split", ["x"], ["y"], {"axis": float("inf")}),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_node_is_an_opaque_layer_with_its_tensors(tmp_path: Path, case: str) -> None:
    op = MALFORMED[case]
    graph = read(tmp_path / "m.onnx", [op], {"w": values((2, 4, 3, 3))})
    layer = graph.layers[-1]
    assert (layer.op, layer.class_name) == ("Opaque", op[0])
    assert [t.name for t in layer.tensors] == (["w"] if "w" in op[1] else [])


@pytest.mark.parametrize(("axis", "told"), [(1, "softmax"), (0, ("softmax", {"axis": 0}))])
def test_the_axis_of_a_softmax_is_the_last_one_of_what_the_file_says(
    axis: int, told: Any, tmp_path: Path
) -> None:
    """What goes into it has a shape that nothing tells."""
    nodes: list[Op] = [
        ("NonZero", ["x"], ["i"], {}),
        ("GatherND", ["x", "i"], ["g"], {}),
        ("Softmax", ["g"], ["y"], {"axis": axis}),
    ]
    path = saved(tmp_path / "m.onnx", nodes, {}, {"x": ["n", 4]}, ["y"])
    model = onnx.load(path)
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", 1, ["n", 4]))
    onnx.save(model, path)
    layer = next(layer for layer in formats.read(path).layers if layer.class_name == "Softmax")
    assert layer.attributes["activation"] == told
