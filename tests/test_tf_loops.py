"""Recurrent nodes in the place of loops and fused operators, as nodes in memory."""

import numpy as np
import pytest

from weightbridge.formats.onnx.proto import TOLD, Graph, Node, TensorHeader, ValueInfo
from weightbridge.formats.tensorflow.loops.fused import ACTIVATION, LIMIT, LSTM, TIME_MAJOR
from weightbridge.formats.tensorflow.loops.rewrite import with_cells
from weightbridge.formats.wire import Span

UNITS, WIDTH = 3, 2
KERNEL, STATE = (4 * UNITS, WIDTH), (4 * UNITS, UNITS)


def header(name: str, *dims: int) -> TensorHeader:
    place = Span(len(name), len(name) + 1)
    return TensorHeader(name, dims, 1, place, place)


def unread(_: TensorHeader) -> np.ndarray:
    return np.ones(1, "float32")


def fused(**more: object) -> tuple[Node, dict[str, TensorHeader]]:
    shapes = [(UNITS, WIDTH)] * 4 + [(UNITS, UNITS)] * 4 + [()] * 3 + [(UNITS,)] * 4
    names = [f"t{n:02}" if shape else "" for n, shape in enumerate(shapes)]
    tensors = {name: header(name, *shape) for name, shape in zip(names, shapes, strict=True) if name}
    told = {ACTIVATION: "tanh", TIME_MAJOR: 0, LIMIT: 10.0, **more}
    return Node("lstm", LSTM, "tflite", ("x", *names), ("y",), told), tensors


def test_gates_that_stand_apart_become_one_weight() -> None:
    node, tensors = fused()
    made = with_cells([node], ["y"], tensors, {}, unread)
    (cell,) = (n for n in made if TOLD in n.attributes)
    assert (cell.op, cell.attributes[TOLD].gates, cell.attributes[TOLD].limit) == ("LSTM", "i f c o", 10.0)
    assert [tensors[f"y/{role}"].dims for role in ("kernel", "recurrent_kernel", "bias")] == [
        KERNEL, STATE, (4 * UNITS,),
    ]  # fmt: skip
    parts = tensors["y/kernel"].joined
    assert parts is not None
    assert [part.name for part in parts.tensors] == ["t00", "t01", "t02", "t03"]
    assert [n.op for n in made] == ["Transpose", "Transpose", "Transpose", "LSTM", "Transpose"]


def test_a_variant_that_keras_has_not_stays_what_it_is() -> None:
    node, tensors = fused()
    with_peephole = Node(
        node.name, LSTM, "tflite", (*node.inputs[:9], "t00", *node.inputs[10:]), ("y",), node.attributes
    )
    assert with_cells([with_peephole], ["y"], tensors, {}, unread) == [with_peephole]
    missing = {name: h for name, h in tensors.items() if name != "t02"}
    assert with_cells([node], ["y"], missing, {}, unread) == [node]


def body(activation: str, order: tuple[int, ...], *, scale: str = "") -> Graph:
    """An LSTM's step, with its gates in this order; scale: of a value that no LSTM has."""
    parts = tuple(f"part{n}" for n in range(4))
    i, f, c, o = (parts[n] for n in order)
    steps = [
        Node("", "Gather", "", ("xs", "n"), ("x",), {"axis": 0}),
        Node("", "MatMul", "", ("x", "k"), ("xk",), {}),
        Node("", "MatMul", "", ("h", "r"), ("hr",), {}),
        Node("", "Add", "", ("xk", "hr"), ("sum",), {}),
        Node("", "Split", "", ("sum",), parts, {"axis": 1}),
        *(Node("", "Sigmoid", "", (gate,), (f"s{gate}",), {}) for gate in (i, f, o)),
        Node("", activation, "", (c,), ("new",), {}),
        Node("", "Mul", "", (f"s{f}", "c"), ("kept",), {}),
        Node("", "Mul", "", (f"s{i}", "new"), ("added",), {}),
        Node("", "Add", "", ("kept", scale or "added"), ("c1",), {}),
        Node("", activation, "", ("c1",), ("out",), {}),
        Node("", "Mul", "", (f"s{o}", "out"), ("h1",), {}),
        Node("", "Add", "", ("n", "one"), ("n1",), {}),
        Node("", "TensorListSetItem", "tensorflow", ("ys", "n", "h1"), ("ys1",), {}),
    ]
    inputs = tuple(ValueInfo(name, 0, None) for name in ("n", "ys", "h", "c", "xs", "k", "r"))
    outputs = tuple(ValueInfo(name, 0, None) for name in ("n1", "ys1", "h1", "c1", "xs", "k", "r"))
    one = TensorHeader("one", (), 6, Span(90, 91), Span(90, 91))
    return Graph("body", tuple(steps), (one,), inputs, outputs, ())


def loop(graph: Graph, columns: int = 4 * UNITS) -> tuple[list[Node], dict[str, TensorHeader]]:
    tensors = {"k": header("k", WIDTH, columns), "r": header("r", UNITS, 4 * UNITS)}
    given = ("n0", "ys0", "h0", "c0", "xs", "k", "r")
    node = Node("loop", "While", "tensorflow", given, tuple(f"out{n}" for n in range(7)), {"body": graph})
    read = Node("", "Relu", "", ("out1",), ("y",), {})
    return with_cells([node, read], ["y"], tensors, {}, unread), tensors


@pytest.mark.parametrize(
    ("activation", "order", "gates", "name"),
    [("Tanh", (0, 1, 2, 3), "i f c o", "tanh"), ("Relu", (0, 2, 1, 3), "i c f o", "relu")],
)
def test_the_gates_of_a_body_are_found_by_what_it_computes(
    activation: str, order: tuple[int, ...], gates: str, name: str
) -> None:
    made, _ = loop(body(activation, order))
    told = made[0].attributes[TOLD]
    assert (made[0].op, told.gates, told.activation) == ("LSTM", gates, name)
    assert made[0].inputs[:3] == ("xs", "k", "r")
    assert made[-1].inputs == (made[0].outputs[0],)


def test_a_body_that_computes_something_else_stays_a_loop() -> None:
    made, _ = loop(body("Tanh", (0, 1, 2, 3), scale="new"))
    assert made[0].op == "While"


def test_a_body_whose_weights_do_not_fit_stays_a_loop() -> None:
    made, _ = loop(body("Tanh", (0, 1, 2, 3)), columns=5 * UNITS)
    assert made[0].op == "While"
