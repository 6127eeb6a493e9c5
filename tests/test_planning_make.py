"""Which layer a tensor belongs to is what the graph says, whatever the names of its tensors look like."""

import numpy as np
import pytest

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.planning.declared import declared
from weightbridge.planning.make import unexplained, unused_of

TENSORS = {"/net/conv/Conv": ("onnx::Conv_10", "onnx::Conv_11"), "/net/fc/Gemm": ("fc.weight", "fc.bias")}


def exported() -> LayerGraph:
    """A model as torch exports it: the names of tensors and layers have no part in common."""
    layers = tuple(Layer(name, "Conv", tensors=tuple(map(tensor, names))) for name, names in TENSORS.items())
    return LayerGraph("model.onnx", "onnx", "onnx", layers=layers)


def tensor(name: str) -> Tensor:
    return Tensor(name, "kernel", (1,), "float32", name, lambda: np.zeros(1))


@pytest.mark.parametrize(
    ("glob", "expected"),
    [("/net/conv/Conv", True), ("onnx::Conv_10", True), ("/net/fc/*", False), ("onnx::Conv_11", False)],
)
def test_a_declaration_names_a_tensor_or_its_layer(glob: str, expected: bool) -> None:
    assert ("onnx::Conv_10" in declared(exported(), (glob,))) is expected


def test_neighbours_that_are_left_over_are_said_once() -> None:
    graph = exported()
    (found,) = unexplained(graph, unused_of(graph, (), ()))
    assert found.source == "/net/conv/Conv"
    assert "2 layers, 4 tensors" in found.message
    assert found.fix == "declare it with --unused '/net/*' if that is right"
