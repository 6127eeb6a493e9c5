"""ONNX as layers: what each kind of node becomes, names, values, sharing, shapes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_samples import Op, model, saved, small, values

from weightbridge import formats
from weightbridge.model.graph import Layer, LayerGraph

W, V = values((4, 4), 1), values((4,), 2)
IMAGE, ROWS = {"x": ["n", 4, 8, 8]}, {"x": ["n", 4]}


def read(
    tmp_path: Path,
    ops: list[Op],
    tensors: dict[str, np.ndarray],
    inputs: dict[str, Any] = ROWS,
    **kwargs: Any,
) -> LayerGraph:
    return formats.read(saved(tmp_path / "m.onnx", ops, tensors, inputs, [ops[-1][2][0]], **kwargs))


def only(graph: LayerGraph, op: str) -> Layer:
    found = [layer for layer in graph.layers if layer.op == op]
    assert len(found) == 1, [layer.op for layer in graph.layers]
    return found[0]


def test_a_small_model(tmp_path: Path) -> None:
    graph = formats.read(small(tmp_path / "m.onnx"))
    assert [(x.name, x.op) for x in graph.layers if x.tensors] == [
        ("conv", "Conv"),
        ("bn", "BatchNorm"),
        ("fc", "Dense"),
    ]
    assert graph.has_flow
    assert (graph.inputs, graph.framework, graph.format) == (("x",), "onnx", "onnx")
    assert graph.parents["bn"] == ("conv",)
    conv, norm, dense = (graph.by_name[n] for n in ("conv", "bn", "fc"))
    assert conv.attributes["padding"] == ((1, 1), (1, 1))
    assert (conv.attributes["strides"], conv.attributes["filters"], conv.output_shape) == (
        (2, 2),
        4,
        (4, 4, 4),
    )
    assert (norm.attributes["epsilon"], norm.attributes["momentum"]) == (0.001, 0.9)
    assert [t.role for t in norm.tensors] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert (dense.attributes["units"], dense.attributes["transposed"]) == (5, True)


def test_tensors_are_those_that_onnx_loads(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx")
    stored = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    graph = formats.read(path)
    assert {t.name for t in graph.tensors} == stored.keys()
    for t in graph.tensors:
        assert (t.shape, t.dtype) == (stored[t.name].shape, str(stored[t.name].dtype))
        np.testing.assert_array_equal(t.load(), stored[t.name])


PRODUCTS: dict[str, tuple[list[Op], dict[str, np.ndarray], dict[str, Any], str, dict[str, Any]]] = {
    "matmul and add": (
        [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "v"], ["y"], {})],
        {"w": W, "v": V},
        ROWS,
        "Dense",
        {"use_bias": True},
    ),
    "add and matmul, bias first": (
        [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["v", "m"], ["y"], {})],
        {"w": W, "v": V},
        ROWS,
        "Dense",
        {"use_bias": True},
    ),
    "gemm, not turned": (
        [("Gemm", ["x", "w", "v"], ["y"], {})],
        {"w": W, "v": V},
        ROWS,
        "Dense",
        {"transposed": False, "units": 4},
    ),
    "matmul of a turned weight": (
        [("Transpose", ["w"], ["t"], {"perm": [1, 0]}), ("MatMul", ["x", "t"], ["y"], {})],
        {"w": values((5, 4))},
        ROWS,
        "Dense",
        {"transposed": True, "units": 5, "layouts": {"kernel": "o i"}},
    ),
    "depthwise": (
        [("Conv", ["x", "k"], ["y"], {"group": 4})],
        {"k": values((8, 1, 3, 3))},
        IMAGE,
        "DepthwiseConv",
        {"depth_multiplier": 2},
    ),
    "grouped": (
        [("Conv", ["x", "k"], ["y"], {"group": 2})],
        {"k": values((6, 2, 3, 3))},
        IMAGE,
        "Conv",
        {"groups": 2, "filters": 6},
    ),
    "transposed convolution": (
        [("ConvTranspose", ["x", "k"], ["y"], {"strides": [2, 2]})],
        {"k": values((4, 6, 2, 2))},
        IMAGE,
        "ConvTranspose",
        {"filters": 6},
    ),
    "convolution, bias behind it": (
        [("Conv", ["x", "k"], ["c"], {}), ("Add", ["c", "b"], ["y"], {})],
        {"k": values((6, 4, 1, 1)), "b": values((1, 6, 1, 1))},
        IMAGE,
        "Conv",
        {"use_bias": True},
    ),
    "one-dimensional, written as two": (
        [
            ("Unsqueeze", ["x", "axis"], ["u"], {}),
            ("Conv", ["u", "k"], ["c"], {"strides": [1, 2]}),
            ("Squeeze", ["c", "axis"], ["s"], {}),
            ("Add", ["s", "b"], ["y"], {}),
        ],
        {"axis": np.array([2]), "k": values((5, 4, 1, 3)), "b": values((1, 5, 1))},
        {"x": ["n", 4, 9]},
        "Conv",
        {"kernel_size": (3,), "strides": (2,), "use_bias": True},
    ),
    "einsum": (
        [("Einsum", ["x", "w"], ["y"], {"equation": "ab,bc->ac"})],
        {"w": W},
        ROWS,
        "EinsumDense",
        {"equation": "ab,bc->ac"},
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_weights(tmp_path: Path, name: str) -> None:
    ops, tensors, inputs, op, expected = PRODUCTS[name]
    layer = only(read(tmp_path, ops, tensors, inputs), op)
    assert {k: layer.attributes.get(k) for k in expected} == expected
    assert sorted(t.name for t in layer.tensors) == sorted(
        n for n, a in tensors.items() if a.dtype == np.float32
    )


@pytest.mark.parametrize(
    ("shape", "op"),
    [((1, 5, 1, 1), "Conv"), ((1, 1, 1, 5), "Shift"), ((5,), "Shift"), ((1, 5, 8, 8), "Opaque")],
    ids=["channels", "columns", "trailing", "whole map"],
)
def test_only_one_number_per_channel_is_a_bias(tmp_path: Path, shape: tuple[int, ...], op: str) -> None:
    ops: list[Op] = [("Conv", ["x", "k"], ["c"], {"pads": [1, 1, 1, 1]}), ("Add", ["c", "b"], ["y"], {})]
    graph = read(tmp_path, ops, {"k": values((5, 4, 3, 3)), "b": values(shape)}, IMAGE)
    assert graph.owner["b"].op == op


LAYERNORM: list[Op] = [
    ("ReduceMean", ["x"], ["mean"], {"axes": [-1]}),
    ("Sub", ["x", "mean"], ["d"], {}),
    ("Pow", ["d", "two"], ["p"], {}),
    ("ReduceMean", ["p"], ["v"], {"axes": [-1]}),
    ("Add", ["v", "eps"], ["e"], {}),
    ("Sqrt", ["e"], ["s"], {}),
    ("Div", ["d", "s"], ["n"], {}),
    ("Mul", ["n", "g"], ["m"], {}),
    ("Add", ["m", "b"], ["y"], {}),
]
RMSNORM: list[Op] = [
    ("Mul", ["x", "x"], ["p"], {}),
    ("ReduceMean", ["p"], ["v"], {"axes": [-1]}),
    ("Add", ["v", "eps"], ["e"], {}),
    ("Sqrt", ["e"], ["s"], {}),
    ("Reciprocal", ["s"], ["r"], {}),
    ("Mul", ["x", "r"], ["n"], {}),
    ("Mul", ["n", "g"], ["y"], {}),
]
NUMBERS = {"two": np.float32(2), "eps": np.float32(1e-5), "g": V, "b": values((4,), 3)}


def numbers(*names: str) -> dict[str, np.ndarray]:
    return {n: np.asarray(NUMBERS[n]) for n in names}


@pytest.mark.parametrize(
    ("ops", "op", "roles"),
    [(LAYERNORM, "LayerNorm", {"g": "gamma", "b": "beta"}), (RMSNORM, "RMSNorm", {"g": "gamma"})],
    ids=["layer", "rms"],
)
def test_normalisation_in_single_steps(tmp_path: Path, ops: list[Op], op: str, roles: dict[str, str]) -> None:
    read_names = {v for _, inputs, _, _ in ops for v in inputs}
    layer = only(
        read(tmp_path, ops, numbers(*(n for n in NUMBERS if n in read_names)), {"x": ["n", 3, 4]}), op
    )
    assert {t.name: t.role for t in layer.tensors} == roles
    assert (layer.attributes["epsilon"], layer.attributes["axis"]) == (1e-05, -1)


@pytest.mark.parametrize(
    ("shape", "is_one"), [([-1, 3, 1], True), ([3, -1, 1], False)], ids=["nothing changes", "axes move"]
)
def test_a_reshape_that_changes_nothing_is_no_end_of_a_normalisation(
    tmp_path: Path, shape: list[int], is_one: bool
) -> None:
    ops = [
        LAYERNORM[0],
        ("Reshape", ["mean", "shape"], ["again"], {}),
        ("Sub", ["x", "again"], ["d"], {}),
        *LAYERNORM[2:],
    ]
    graph = read(tmp_path, ops, {**numbers(*NUMBERS), "shape": np.array(shape)}, {"x": [1, 3, 4]})
    assert ("LayerNorm" in [x.op for x in graph.layers]) is is_one


def test_a_skip_connection_is_no_part_of_a_normalisation(tmp_path: Path) -> None:
    graph = read(
        tmp_path,
        [*LAYERNORM[:-1], ("Add", ["m", "b"], ["l"], {}), ("Add", ["l", "x"], ["y"], {})],
        numbers(*NUMBERS),
        {"x": ["n", 3, 4]},
    )
    assert [x.op for x in graph.layers] == ["Input", "LayerNorm", "Add"]


def test_steps_that_compute_something_else_stay_steps(tmp_path: Path) -> None:
    wrong = [
        ("Sub", ["mean", "x"], ["d"], {}) if outs == ["d"] else (op, i, outs, a)
        for op, i, outs, a in LAYERNORM
    ]
    graph = read(tmp_path, wrong, numbers(*NUMBERS), {"x": ["n", 3, 4]})
    assert not [x for x in graph.layers if x.op == "LayerNorm"]


HALF, ONE, THREE, ROOT, CUBIC, TANH = (
    np.float32(n) for n in (0.5, 1, 3, 2**0.5, 0.044715, (2 / np.pi) ** 0.5)
)
ACTIVATIONS: dict[str, tuple[list[Op], dict[str, Any]]] = {
    "swish": ([("Sigmoid", ["x"], ["s"], {}), ("Mul", ["x", "s"], ["y"], {})], {}),
    "gelu": (
        [
            ("Div", ["x", "c"], ["d"], {}),
            ("Erf", ["d"], ["e"], {}),
            ("Add", ["e", "one"], ["a"], {}),
            ("Mul", ["x", "a"], ["m"], {}),
            ("Mul", ["m", "half"], ["y"], {}),
        ],
        {"c": ROOT, "one": ONE, "half": HALF},
    ),
    "gelu_tanh": (
        [
            ("Pow", ["x", "three"], ["p"], {}),
            ("Mul", ["p", "c"], ["q"], {}),
            ("Add", ["x", "q"], ["r"], {}),
            ("Mul", ["r", "k"], ["s"], {}),
            ("Tanh", ["s"], ["t"], {}),
            ("Add", ["t", "one"], ["u"], {}),
            ("Mul", ["x", "u"], ["v"], {}),
            ("Mul", ["v", "half"], ["y"], {}),
        ],
        {"three": THREE, "c": CUBIC, "k": TANH, "one": ONE, "half": HALF},
    ),
    "hard_sigmoid": (
        [
            ("Add", ["x", "three"], ["a"], {}),
            ("Clip", ["a", "zero", "six"], ["c"], {}),
            ("Div", ["c", "six"], ["y"], {}),
        ],
        {"three": THREE, "zero": np.float32(0), "six": np.float32(6)},
    ),
    "relu6": ([("Clip", ["x", "zero", "six"], ["y"], {})], {"zero": np.float32(0), "six": np.float32(6)}),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(tmp_path: Path, name: str) -> None:
    ops, tensors = ACTIVATIONS[name]
    graph = read(tmp_path, ops, {k: np.asarray(v) for k, v in tensors.items()})
    assert [x.op for x in graph.layers] == ["Input", "Activation"]
    assert graph.layers[1].attributes["activation"] == name
    assert not graph.tensors


def test_a_gate_that_is_no_swish_stays_a_product(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("MatMul", ["x", "w"], ["d"], {}),
        ("Sigmoid", ["d"], ["s"], {}),
        ("Mul", ["x", "s"], ["y"], {}),
    ]
    assert only(read(tmp_path, ops, {"w": W}), "Multiply")


def test_prelu_with_a_negated_slope(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("Relu", ["x"], ["p"], {}),
        ("Neg", ["x"], ["n"], {}),
        ("Relu", ["n"], ["q"], {}),
        ("Mul", ["q", "a"], ["m"], {}),
        ("Add", ["p", "m"], ["y"], {}),
    ]
    layer = only(read(tmp_path, ops, {"a": V}), "Activation")
    assert (layer.attributes["activation"], layer.attributes["negated"]) == ("prelu", ("alpha",))
    assert [t.role for t in layer.tensors] == ["alpha"]


@pytest.mark.parametrize(
    ("op", "gates", "inputs", "expected"),
    [
        ("LSTM", 4, {}, {"units": 5, "gates": "i o f c", "go_backwards": False}),
        ("GRU", 3, {"linear_before_reset": 1}, {"units": 5, "reset_after": True}),
        ("GRU", 3, {}, {"reset_after": False}),
        ("RNN", 1, {"direction": "reverse"}, {"go_backwards": True, "activation": "tanh"}),
    ],
    ids=["lstm", "gru, reset after", "gru, reset before", "rnn, backwards"],
)
def test_recurrent_layers(
    tmp_path: Path, op: str, gates: int, inputs: dict[str, Any], expected: dict[str, Any]
) -> None:
    tensors = {
        "W": values((1, gates * 5, 4)),
        "R": values((1, gates * 5, 5)),
        "B": values((1, 2 * gates * 5)),
    }
    layer = only(
        read(
            tmp_path,
            [(op, ["x", "W", "R", "B"], ["y"], {"hidden_size": 5, **inputs})],
            tensors,
            {"x": [6, "n", 4]},
        ),
        op,
    )
    assert {k: layer.attributes[k] for k in expected} == expected
    assert {t.name: t.role for t in layer.tensors} == {"W": "kernel", "R": "recurrent_kernel", "B": "bias"}


def test_look_ups(tmp_path: Path) -> None:
    graph = read(
        tmp_path,
        [("Gather", ["table", "x"], ["y"], {})],
        {"table": values((9, 4))},
        {"x": ["n", 3]},
        dtype=TensorProto.INT64,
    )
    layer = only(graph, "Embedding")
    assert (layer.attributes["input_dim"], layer.attributes["output_dim"], layer.tensors[0].role) == (
        9,
        4,
        "embeddings",
    )


def test_shapes_and_single_numbers_are_no_weights(tmp_path: Path) -> None:
    ops: list[Op] = [("Reshape", ["x", "shape"], ["r"], {}), ("Mul", ["r", "half"], ["y"], {})]
    graph = read(tmp_path, ops, {"shape": np.array([-1, 2, 2]), "half": np.asarray(HALF)})
    assert not graph.tensors
    assert [x.op for x in graph.layers] == ["Input", "Reshape", "Rescaling"]
    assert graph.layers[2].attributes["scale"] == 0.5


def test_what_follows_from_shapes_alone_is_no_layer(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("Shape", ["x"], ["s"], {}),
        ("Slice", ["s", "zero", "one"], ["b"], {}),
        ("Concat", ["b", "rest"], ["t"], {"axis": 0}),
        ("Reshape", ["x", "t"], ["y"], {}),
    ]
    graph = read(tmp_path, ops, {"zero": np.array([0]), "one": np.array([1]), "rest": np.array([256])}, IMAGE)
    assert [x.op for x in graph.layers] == ["Input", "Flatten"]
    assert graph.layers[1].output_shape == (256,)


def test_a_shared_tensor_is_given_once(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("MatMul", ["x", "w"], ["a"], {}),
        ("Relu", ["a"], ["r"], {}),
        ("MatMul", ["r", "w"], ["y"], {}),
    ]
    graph = read(tmp_path, ops, {"w": W}, names=["/first/MatMul", "/r/Relu", "/second/MatMul"])
    assert [t.name for t in graph.tensors] == ["w"]
    assert graph.by_name["second"].attributes["tied"] == {"kernel": "w"}
    assert graph.by_name["second"].attributes["shared_with"] == "first"


def test_constant_nodes_and_inner_graphs_hold_tensors_too(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Mul", ["x", "inner"], ["z"])],
        "b",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(V, "inner")],
    )
    ops: list[Op] = [
        ("Constant", [], ["w"], {"value": numpy_helper.from_array(W)}),
        ("MatMul", ["x", "w"], ["m"], {}),
        ("If", ["yes"], ["i"], {"then_branch": branch, "else_branch": branch}),
        ("Add", ["m", "i"], ["y"], {}),
    ]
    path = saved(tmp_path / "m.onnx", ops, {"yes": np.array(True)}, ROWS, ["y"])
    graph = formats.read(path)
    assert graph.owner["w"].op == "Dense"
    np.testing.assert_array_equal(next(t for t in graph.tensors if t.name == "w").load(), W)
    inner = [t for t in graph.tensors if "inner" in t.name]
    assert len(inner) == 2
    np.testing.assert_array_equal(inner[0].load(), V)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            (
                ("m_1/conv_1/Conv2D/ReadVariableOp:0", "m_1/conv_1/Conv2D"),
                ("m_1/fc_1/MatMul/ReadVariableOp:0", "m_1/fc_1/MatMul"),
            ),
            ["conv", "fc"],
        ),
        (
            (
                ("m/conv/Conv2D/ReadVariableOp:0", "m/conv/Conv2D"),
                ("m/fc_1/MatMul/ReadVariableOp:0", "m/fc_1/MatMul"),
            ),
            ["conv", "fc_1"],
        ),
        (
            (("onnx::MatMul_7", "/layer1/layer1.0/conv/Conv"), ("layer2.1.fc.weight", "/layer2/x")),
            ["layer1.0.conv", "layer2.1.fc"],
        ),
        ((("w1", ""), ("w2", "")), ["MatMul_0", "MatMul_1"]),
        ((("a.weight", "n"), ("b.weight", "n")), ["a", "b"]),
    ],
    ids=["tensorflow, traced twice", "tensorflow", "torch", "nameless", "one name for two nodes"],
)
def test_names(tmp_path: Path, names: tuple[tuple[str, str], ...], expected: list[str]) -> None:
    (a, first), (b, second) = names
    ops: list[Op] = [("MatMul", ["x", a], ["m"], {}), ("MatMul", ["m", b], ["y"], {})]
    graph = read(tmp_path, ops, {a: W, b: values((4, 4), 9)}, names=[first, second])
    assert [x.name for x in graph.layers if x.op == "Dense"] == expected
    assert [t.name for t in graph.tensors] == [a, b]


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16", "float8_e4m3fn"])
def test_other_float_types(tmp_path: Path, dtype: str) -> None:
    import ml_dtypes

    array = values((4, 4)).astype(getattr(ml_dtypes, dtype, dtype))
    proto = model([("MatMul", ["x", "w"], ["y"], {})], {}, ROWS, ["y"])
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    proto.graph.initializer.append(helper.make_tensor("w", kind, [4, 4], array.tobytes(), raw=True))
    onnx.save(proto, tmp_path / "m.onnx")
    (tensor,) = formats.read(tmp_path / "m.onnx").tensors
    assert tensor.dtype == dtype
    np.testing.assert_array_equal(tensor.load().view(np.uint8), array.view(np.uint8))


@pytest.mark.parametrize(("kind", "codes"), [("INT4", range(-8, 8)), ("UINT4", range(16))])
def test_four_bit_weights_are_read(tmp_path: Path, kind: str, codes: range) -> None:
    proto = model(
        [("DequantizeLinear", ["q", "s"], ["w"], {}), ("MatMul", ["x", "w"], ["y"], {})],
        {"s": np.asarray(ONE)},
        ROWS,
        ["y"],
        opset=21,
    )
    tensor = helper.make_tensor("q", getattr(TensorProto, kind), [4, 4], list(codes))
    proto.graph.initializer.append(tensor)
    onnx.save(proto, tmp_path / "m.onnx")
    (tensor,) = formats.read(tmp_path / "m.onnx").tensors
    assert (tensor.name, tensor.dtype) == ("q", "float32")
    assert np.allclose(tensor.load().reshape(-1), np.array(codes) * ONE)


def test_values_in_typed_fields(tmp_path: Path) -> None:
    proto = model([("Gemm", ["x", "w", "h"], ["y"], {})], {}, ROWS, ["y"])
    proto.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [4, 4], W.reshape(-1).tolist()))
    half = V.astype(np.float16)
    proto.graph.initializer.append(helper.make_tensor("h", TensorProto.FLOAT16, [4], half.tolist()))
    onnx.save(proto, tmp_path / "m.onnx")
    loaded = {t.name: t.load() for t in formats.read(tmp_path / "m.onnx").tensors}
    np.testing.assert_array_equal(loaded["w"], W)
    np.testing.assert_array_equal(loaded["h"], half)


def test_real_models(shared_models: Path) -> None:
    expected = {
        "P07_burn_mnist/mnist.onnx": (18, 376938),
        "P02_dtln/model_1.onnx": (8, 363393),
        "P09_basic_pitch/nmp.onnx": (20, 35736),
    }
    for name, (tensors, parameters) in expected.items():
        graph = formats.read(shared_models / name)
        assert (len(graph.tensors), graph.parameters) == (tensors, parameters), name
        assert not graph.findings
