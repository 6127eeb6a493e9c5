"""Which layer a tensor belongs to is what the graph says, whatever the names of its tensors look like."""

import numpy as np
import pytest

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.planning.declared import declared
from weightbridge.planning.make import unexplained
from weightbridge.planning.runs import glob_of, names_of, runs
from weightbridge.planning.steps import unused_of

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


@pytest.mark.parametrize(
    ("layers", "unused", "expected"),
    [
        pytest.param(("a1", "a2", "b"), ("a1", "a2"), ["a*"], id="a start of their own"),
        pytest.param(("a1", "a2", "a3"), ("a1", "a2"), ["{a1,a2}"], id="a start that others share"),
        pytest.param(("a1", "b", "a2"), ("a1", "a2"), ["a1*", "a2*"], id="apart"),
        pytest.param(("x[0]", "x[1]", "x"), ("x[0]", "x[1]"), ["{x?0?,x?1?}"], id="signs of globs in a name"),
        pytest.param(("a", "ab"), ("a",), ["a/*"], id="a name that another begins with"),
    ],
)
def test_a_glob_names_a_run_and_nothing_else(
    layers: tuple[str, ...], unused: tuple[str, ...], expected: list[str]
) -> None:
    graph = LayerGraph("m", "onnx", "onnx", layers=tuple(Layer(n, "Conv", tensors=pair(n)) for n in layers))
    left = {t.name for name in unused for t in graph.by_name[name].tensors}
    known = names_of(graph)
    found = [glob_of(known, run) for run in runs(graph, left)]
    assert found == expected
    assert declared(graph, found) == left


def pair(layer: str) -> tuple[Tensor, ...]:
    return tuple(tensor(f"{layer}/{n}") for n in range(2))


def test_many_runs_take_no_time() -> None:
    layers = tuple(Layer(f"l{n}", "Conv", tensors=pair(f"l{n}")) for n in range(30_000))
    graph = LayerGraph("m", "onnx", "onnx", layers=layers)
    left = {t.name for layer in layers[::2] for t in layer.tensors}
    known = names_of(graph)
    assert sum(1 for run in runs(graph, left) if glob_of(known, run)) == 15_000
