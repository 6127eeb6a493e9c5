"""Recurrent cells that an exporter wrote out in single steps.

Which layer they are, and which tensors are whose.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.model.graph import Layer, LayerGraph

UNITS, WIDTH = 3, 5
Weights = dict[str, np.ndarray]


def lstm(
    name: str, x: str, h: str, c: str, *, order: str = "ifco", inner: str = "Sigmoid", outer: str = "Tanh"
) -> list[Op]:
    """One step of an LSTM as tf2onnx writes it; its outputs are `NAMEh` and `NAMEc`."""
    gate = {g: f"{name}g{n}" for n, g in enumerate(order)}
    return [
        ("MatMul", [h, "R"], [f"{name}hr"], {}),
        ("MatMul", [x, "K"], [f"{name}xk"], {}),
        ("Add", [f"{name}xk", f"{name}hr"], [f"{name}s"], {}),
        ("Add", [f"{name}s", "b"], [f"{name}p"], {}),
        ("Split", [f"{name}p"], [f"{name}g{n}" for n in range(4)], {"axis": 1}),
        *((inner, [gate[g]], [f"{name}{g}"], {}) for g in "ifo"),
        (outer, [gate["c"]], [f"{name}n"], {}),
        ("Mul", [f"{name}f", c], [f"{name}kept"], {}),
        ("Mul", [f"{name}i", f"{name}n"], [f"{name}new"], {}),
        ("Add", [f"{name}kept", f"{name}new"], [f"{name}c"], {}),
        (outer, [f"{name}c"], [f"{name}t"], {}),
        ("Mul", [f"{name}o", f"{name}t"], [f"{name}h"], {}),
    ]


def gru(name: str, x: str, h: str) -> list[Op]:
    """One step of a GRU that resets after the product, with both biases."""
    return [
        ("MatMul", [x, "K"], [f"{name}xk"], {}),
        ("Add", [f"{name}xk", "b"], [f"{name}p"], {}),
        ("Split", [f"{name}p"], [f"{name}x{g}" for g in "zrh"], {"axis": -1}),
        ("MatMul", [h, "R"], [f"{name}hk"], {}),
        ("Add", [f"{name}hk", "br"], [f"{name}q"], {}),
        ("Split", [f"{name}q"], [f"{name}h{g}" for g in "zrh"], {"axis": -1}),
        *(
            (op, [f"{name}x{g}", f"{name}h{g}"], [f"{name}s{g}"], {})
            for op, g in (("Add", "z"), ("Add", "r"))
        ),
        *(("Sigmoid", [f"{name}s{g}"], [f"{name}{g}"], {}) for g in "zr"),
        ("Mul", [f"{name}r", f"{name}hh"], [f"{name}m"], {}),
        ("Add", [f"{name}xh", f"{name}m"], [f"{name}a"], {}),
        ("Tanh", [f"{name}a"], [f"{name}n"], {}),
        ("Sub", ["one", f"{name}z"], [f"{name}w"], {}),
        ("Mul", [f"{name}w", f"{name}n"], [f"{name}new"], {}),
        ("Mul", [f"{name}z", h], [f"{name}kept"], {}),
        ("Add", [f"{name}kept", f"{name}new"], [f"{name}out"], {}),
    ]


def rnn(name: str, x: str, h: str) -> list[Op]:
    return [
        ("MatMul", [x, "K"], [f"{name}xk"], {}),
        ("MatMul", [h, "R"], [f"{name}hr"], {}),
        ("Add", [f"{name}xk", f"{name}hr"], [f"{name}s"], {}),
        ("Add", [f"{name}s", "b"], [f"{name}p"], {}),
        ("Tanh", [f"{name}p"], [f"{name}out"], {}),
    ]


def weights(gates: int, width: int = WIDTH, **more: np.ndarray) -> Weights:
    kernels = {
        "K": values((width, gates * UNITS), 1),
        "R": values((UNITS, gates * UNITS), 2),
        "b": values((gates * UNITS,), 3),
    }
    return {**kernels, **more}


def read(
    tmp_path: Path, ops: list[Op], tensors: Weights, outputs: tuple[str, ...], width: int = WIDTH
) -> LayerGraph:
    names = {v for _, inputs, _, _ in ops for v in inputs} & {"x", "y", "h", "c"}
    shapes = {n: ["n", width if n in "xy" else UNITS] for n in sorted(names)}
    return formats.read(saved(tmp_path / "m.onnx", ops, tensors, shapes, {v: ["n", UNITS] for v in outputs}))


def recurrent(graph: LayerGraph) -> list[Layer]:
    return [layer for layer in graph.layers if layer.op in ("LSTM", "GRU", "RNN")]


def roles(layer: Layer) -> dict[str, str]:
    return {t.role: t.name for t in layer.tensors}


PLAIN = {"kernel": "K", "recurrent_kernel": "R", "bias": "b"}


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [("Sigmoid", "Tanh", ("sigmoid", "tanh")), ("Sigmoid", "Relu", ("sigmoid", "relu"))],
    ids=["usual", "relu"],
)
def test_one_step_of_an_lstm(tmp_path: Path, inner: str, outer: str, expected: tuple[str, str]) -> None:
    graph = read(tmp_path, lstm("a", "x", "h", "c", inner=inner, outer=outer), weights(4), ("ah", "ac"))
    (layer,) = recurrent(graph)
    assert {layer.attributes[k] for k in ("units", "gates", "weights")} == {UNITS, "i f c o", "keras"}
    assert (layer.attributes["recurrent_activation"], layer.attributes["activation"]) == expected
    assert roles(layer) == PLAIN
    assert set(graph.parents[layer.name]) == {"x", "h", "c"}
    assert [x.op for x in graph.layers] == ["Input", "Input", "Input", "LSTM"]


def test_steps_of_one_layer_are_one_layer(tmp_path: Path) -> None:
    ops = [*lstm("a", "x", "h", "c"), *lstm("b", "y", "ah", "ac")]
    (layer,) = recurrent(read(tmp_path, ops, weights(4), ("bh",)))
    assert roles(layer) == PLAIN


def test_a_step_that_others_read_in_between_is_apart(tmp_path: Path) -> None:
    ops = [*lstm("a", "x", "h", "c"), ("MatMul", ["ah", "W"], ["w"], {}), *lstm("b", "w", "ah", "ac")]
    first, second = recurrent(read(tmp_path, ops, weights(4, W=values((UNITS, WIDTH), 9)), ("bh",)))
    assert roles(first) == PLAIN
    assert (second.tensors, second.attributes["shared_with"]) == ((), first.name)


@pytest.mark.parametrize(
    "is_chained", [True, False], ids=["the state comes back", "both states from one input"]
)
def test_square_kernels_are_told_apart_by_the_state(tmp_path: Path, is_chained: bool) -> None:
    ops = [("Split", ["c"], ["h0", "c0"], {"axis": 0}), *lstm("a", "x", "h0", "c0")]
    ops += lstm("b", "y", "ah", "ac") if is_chained else []
    (layer,) = recurrent(read(tmp_path, ops, weights(4, UNITS), ("bh",) if is_chained else ("ah",), UNITS))
    assert roles(layer) == PLAIN


def test_square_kernels_that_nothing_tells_apart_stay_steps(tmp_path: Path) -> None:
    graph = read(tmp_path, lstm("a", "x", "h", "c"), weights(4, UNITS), ("ah", "ac"), UNITS)
    assert not recurrent(graph)
    assert {t.name for t in graph.tensors} == {"K", "R", "b"}


@pytest.mark.parametrize("order", ["icfo", "fico", "oifc"])
def test_gates_in_another_order_are_not_taken_for_keras_s(tmp_path: Path, order: str) -> None:
    graph = read(tmp_path, lstm("a", "x", "h", "c", order=order), weights(4), ("ah", "ac"))
    assert not recurrent(graph)
    assert {t.name for t in graph.tensors} == {"K", "R", "b"}


def test_a_gate_that_others_read_keeps_the_steps(tmp_path: Path) -> None:
    assert not recurrent(read(tmp_path, lstm("a", "x", "h", "c"), weights(4), ("ah", "ai")))


def test_a_gru_with_both_biases(tmp_path: Path) -> None:
    more: Any = {"br": values((3 * UNITS,), 4), "one": np.float32(1)}
    (layer,) = recurrent(read(tmp_path, gru("a", "x", "h"), weights(3, **more), ("aout",)))
    assert (layer.op, layer.attributes["reset_after"], layer.attributes["gates"]) == ("GRU", True, "z r h")
    assert roles(layer) == {**PLAIN, "recurrent_bias": "br"}


def test_a_simple_rnn_is_one_where_its_state_comes_back(tmp_path: Path) -> None:
    once, twice = rnn("a", "x", "h"), [*rnn("a", "x", "h"), *rnn("b", "y", "aout")]
    assert not recurrent(read(tmp_path, once, weights(1), ("aout",)))
    (layer,) = recurrent(read(tmp_path, twice, weights(1), ("bout",)))
    assert (layer.op, layer.attributes["activation"], roles(layer)) == ("RNN", "tanh", PLAIN)


UNROLLED = [
    ("LSTM", {"return_sequences": True}, {"kernel": "copy", "recurrent_kernel": "copy", "bias": "copy"}),
    ("GRU", {}, {"kernel": "copy", "recurrent_kernel": "copy", "bias": "transform"}),
    ("SimpleRNN", {}, {"kernel": "copy", "recurrent_kernel": "copy", "bias": "copy"}),
]


@pytest.mark.framework
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # tf2onnx and TensorFlow under NumPy 2
@pytest.mark.parametrize(
    ("layer", "options", "kinds"), UNROLLED, ids=["lstm with sequences", "gru", "simple rnn"]
)
def test_unrolled_layers_of_keras_come_back_from_tf2onnx(
    tmp_path: Path, layer: str, options: dict[str, Any], kinds: dict[str, str]
) -> None:
    model, exported, empty = tmp_path / "model.keras", tmp_path / "model.onnx", tmp_path / "empty.onnx"
    _export(layer, options, model, exported)
    _zeroed(exported, empty)
    there = wb.transfer(exported, model, output=tmp_path / "back.keras")
    back = wb.transfer(model, empty, output=tmp_path / "again.onnx")
    assert (there.verdict, there.verification.mode, back.verdict, back.verification.mode) == (
        "pass",
        "actual",
        "pass",
        "actual",
    )
    steps = {s["target"]: s["kind"] for s in there.to_json()["steps"]}
    assert {role: steps[f"second/{role}"] for role in kinds} == kinds
    _same(model, tmp_path / "back.keras")
    _same(exported, tmp_path / "again.onnx")


def _export(layer: str, options: dict[str, Any], model: Path, exported: Path) -> None:
    """Two unrolled layers with square kernels and a Dense, all weights random."""
    import keras
    import tensorflow as tf
    import tf2onnx

    made = getattr(keras.layers, layer)
    x = keras.Input((3, 4))
    y = made(4, unroll=True, return_sequences=True, name="first")(x)
    y = keras.layers.Dense(2, name="head")(made(4, unroll=True, name="second", **options)(y))
    net = keras.Model(x, y)
    net.set_weights([values(w.shape, n) - 0.5 for n, w in enumerate(net.get_weights())])
    net.save(model)
    traced = tf.function(net, input_signature=[tf.TensorSpec((None, 3, 4))])
    tf2onnx.convert.from_function(
        traced, input_signature=traced.input_signature, opset=15, output_path=str(exported)
    )


def _zeroed(path: Path, output: Path) -> None:
    """The same graph without its weights."""
    proto = onnx.load(path)
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > 1:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(array), tensor.name))
    onnx.save(proto, output)


def _same(one: Path, other: Path) -> None:
    a, b = ({t.name: t.load() for t in formats.read(path).tensors} for path in (one, other))
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)
