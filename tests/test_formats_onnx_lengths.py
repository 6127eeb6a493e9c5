"""Lengths that a file leaves open: what a graph computes from the others is known."""

from pathlib import Path

import numpy as np
from onnx_samples import saved

from weightbridge import formats
from weightbridge.model.graph import Layer

WHOLE = {name: np.array(numbers, np.int64) for name, numbers in {
    "last": [-1], "end": [1 << 60], "first": [0], "behind": [1], "rest": [-1], "axis": [0],
}.items()}  # fmt: skip


def scaled(path: Path, *along: str) -> Layer:
    """x times one by the root of the length of its axis."""
    ops = [
        ("Shape", ["x"], ["shape"], {}),
        ("Slice", ["shape", *along], ["length"], {}),
        ("Cast", ["length"], ["float"], {"to": 1}),
        ("Sqrt", ["float"], ["root"], {}),
        ("Mul", ["x", "root"], ["y"], {}),
    ]
    graph = formats.read(saved(path, ops, WHOLE, {"x": ["n", 5, 16]}, ("y",)))
    return graph.layers[-1]


def test_a_number_from_a_known_length(tmp_path: Path) -> None:
    layer = scaled(tmp_path / "m.onnx", "last", "end")
    assert (layer.op, layer.attributes["scale"]) == ("Rescaling", 4.0)


def test_no_number_from_an_open_length(tmp_path: Path) -> None:
    layer = scaled(tmp_path / "m.onnx", "first", "behind")
    assert "scale" not in layer.attributes


def test_a_shape_whose_batch_is_open(tmp_path: Path) -> None:
    """(n, 5, 16) -> (n * 5, 16), by the product of the lengths of the first two axes."""
    ops = [
        ("Shape", ["x"], ["shape"], {}),
        ("Slice", ["shape", "first", "last"], ["leading"], {}),
        ("ReduceProd", ["leading", "axis"], ["product"], {"keepdims": 1}),
        ("Concat", ["product", "rest"], ["asked"], {"axis": 0}),
        ("Reshape", ["x", "asked"], ["flat"], {}),
        ("Relu", ["flat"], ["y"], {}),
    ]
    path = saved(tmp_path / "m.onnx", ops, WHOLE, {"x": ["n", 5, 16]}, ("y",), opset=18)
    assert formats.read(path).layers[-1].output_shape == (16,)
