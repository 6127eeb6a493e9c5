"""Loops that lie: bodies that run themselves, circles, chains without end."""

from pathlib import Path

import numpy as np
import pytest
from tensorflow_files import field
from test_formats_tf_graph import constant, graph, node, saved, shape_of

import weightbridge as wb

DATA = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(1, 4)))
KERNEL = constant("k", np.ones((4, 16), "<f4"))
FLOAT = {"DstT": field(6, 1)}
MANY = 1200


def named(name: str) -> bytes:
    return field(10, field(1, name.encode()))


def body(name: str, arguments: list[str], results: list[str], *nodes: bytes) -> bytes:
    outputs = [f"o{place}" for place in range(len(results))]
    signature = field(1, name.encode())
    signature += b"".join(field(2, field(1, a.encode())) for a in arguments)
    signature += b"".join(field(3, field(1, o.encode())) for o in outputs)
    pairs = zip(outputs, results, strict=True)
    returned = b"".join(field(4, field(1, o.encode()) + field(2, r.encode())) for o, r in pairs)
    return field(1, signature) + b"".join(field(3, n) for n in nodes) + returned


def loop(name: str, *inputs: str, runs: str) -> bytes:
    return node(name, "While", *inputs, body=named(runs), cond=named(runs))


def one(results: list[str], *nodes: bytes) -> bytes:
    """A loop over the data and a kernel, with this body."""
    inside = body("b", ["a", "k"], results, *nodes)
    return graph(DATA, KERNEL, loop("w", "x", "k", runs="b"), functions=(inside,))


def chain(op: str, first: str, port: str, **told: bytes) -> list[bytes]:
    more = () if op == "Cast" else ("a",)
    names = [first, *(f"s{n}:{port}:0" for n in range(MANY - 1))]
    return [node(f"s{n}", op, before, *more, **told) for n, before in enumerate(names)]


def cell(*written: str, step: tuple[str, ...] = ("xs", "i"), factor: tuple[str, ...] = ("k",)) -> bytes:
    """A loop over a simple cell, which writes its steps to a list. written: the inputs of what writes."""
    steps = node("x", "Placeholder", dtype=field(6, 1), shape=field(7, shape_of(5, 1, 3)))
    inside = body(
        "b",
        ["i", "a", "k", "r", "xs", "l", "o"],
        ["n:z:0", "t:y:0", "k", "r", "xs", "s:output_handle:0", "o"],
        node("g", "TensorListGetItem", *step),
        node("p", "MatMul", "g:item:0", *factor),
        node("q", "MatMul", "a", "r"),
        node("u", "AddV2", "p:product:0", "q:product:0"),
        node("t", "Tanh", "u:z:0"),
        node("n", "AddV2", "i", "o"),
        node("s", "TensorListSetItem", *written),
    )
    weights = (constant("kernel", np.ones((3, 4), "<f4")), constant("recurrent", np.ones((4, 4), "<f4")))
    first = (constant("one", np.array(1, "<i4")), constant("zeros", np.zeros((1, 4), "<f4")))
    listed = node("l", "TensorListFromTensor", "x")
    run = loop("w", "one", "zeros", "kernel", "recurrent", "l", "l", "one", runs="b")
    return graph(
        steps, *weights, *first, listed, run, node("y", "TensorListStack", "w:5"), functions=(inside,)
    )


WRITTEN = ("l", "i", "t:y:0")
PRODUCT = node("m", "MatMul", "a", "k")
CASES = {
    "a body that runs itself": graph(
        DATA,
        loop("w", "x", runs="b"),
        functions=(body("b", ["a"], ["w:output:0"], loop("w", "a", runs="b")),),
    ),
    "a body that is not there": graph(DATA, loop("w", "x", runs="b")),
    "a body of other arguments": graph(
        DATA, loop("w", "x", "x", runs="b"), functions=(body("b", ["a"], ["a"]),)
    ),
    "loops inside each other": graph(
        DATA,
        loop("w", "x", runs="f0"),
        functions=tuple(
            body(f"f{n}", ["a"], ["w:output:0"], loop("w", "a", runs=f"f{n + 1}")) for n in range(MANY)
        ),
    ),
    "a circle of products": one(["p:product:0", "k"], node("p", "MatMul", "p:product:0", "k")),
    "a circle of casts": one(
        ["m:product:0", "k"],
        node("i", "Cast", "j:y:0", **FLOAT),
        node("j", "Cast", "i:y:0", **FLOAT),
        node("m", "MatMul", "i:y:0", "k"),
    ),
    "a chain of sums": one([f"s{MANY - 1}:z:0", "k"], PRODUCT, *chain("AddV2", "a", "z")),
    "a chain of casts": one(
        ["m:product:0", "k"],
        *chain("Cast", "k", "y", **FLOAT),
        node("m", "MatMul", "a", f"s{MANY - 1}:y:0"),
    ),
    "a step written without its place": cell("l"),
    "a step written without its value": cell("l", "i"),
    "a step written to nothing": cell(),
    "a step read without its place": cell(*WRITTEN, step=("xs",)),
    "a product of one factor": cell(*WRITTEN, factor=()),
}


def test_the_cell_that_others_are_changed_from_is_a_layer(tmp_path: Path) -> None:
    classes = {layer.op for layer in wb.read(saved(tmp_path / "m.pb", cell(*WRITTEN))).layers}
    assert "RNN" in classes


@pytest.mark.parametrize("name", CASES)
def test_it_stays_a_loop_and_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / "m.pb", CASES[name])
    assert "While" in {layer.class_name for layer in wb.read(path).layers}
    with pytest.raises(wb.WeightbridgeError, match="While has no counterpart"):
        wb.convert(path, tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()
