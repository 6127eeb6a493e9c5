"""Functions that an ONNX file defines: their nodes stand where they are called."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from weightbridge import formats
from weightbridge.errors import ResourceBomb
from weightbridge.formats.onnx import inlined

Nodes = Sequence[Any]
VERSIONS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def function(name: str, inputs: str, nodes: Nodes, **more: Any) -> Any:
    return helper.make_function("own", name, inputs.split(), ["o"], nodes, VERSIONS, **more)


def file(path: Path, nodes: Nodes, functions: Nodes) -> Path:
    kernels = {"a": (4, 3, 3, 3), "b": (5, 4, 1, 1)}
    tensors = [numpy_helper.from_array(np.ones(n, np.float32), name) for name, n in kernels.items()]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])]
    asked = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    made = helper.make_graph(nodes, "g", given, asked, tensors)
    save(helper.make_model(made, opset_imports=VERSIONS, functions=functions), path)
    return path


def call(name: str, inputs: str, output: str) -> Any:
    return helper.make_node(name, inputs.split(), [output], domain="own", name=f"call_{output}")


CONV = [helper.make_node("Conv", ["i", "k"], ["t"]), helper.make_node("Relu", ["t"], ["o"])]
BLOCK = function("Block", "i k", CONV)
TWICE = [call("Block", "x a", "m"), call("Block", "m b", "y")]


def ops(path: Path) -> list[str]:
    return [layer.op for layer in formats.read(path).layers]


def test_a_function_is_what_it_computes(tmp_path: Path) -> None:
    graph = formats.read(file(tmp_path / "m.onnx", TWICE, [BLOCK]))
    assert [layer.op for layer in graph.layers] == ["Input", "Conv", "Activation", "Conv", "Activation"]
    assert [tensor.name for tensor in graph.tensors] == ["a", "b"]
    assert not graph.findings


def test_a_function_inside_a_function(tmp_path: Path) -> None:
    outer = function("Outer", "i k l", [call("Block", "i k", "h"), call("Block", "h l", "o")])
    path = file(tmp_path / "m.onnx", [call("Outer", "x a b", "y")], [BLOCK, outer])
    assert ops(path) == ["Input", "Conv", "Activation", "Conv", "Activation"]


@pytest.mark.parametrize("kind", ["attributes", "two-of-a-name", "input-as-output", "other-version"])
def test_what_is_not_plain_stays_a_node(kind: str, tmp_path: Path) -> None:
    others = [helper.make_opsetid("", 13)]
    kinds = {
        "attributes": [function("Block", "i k", CONV, attributes=["alpha"])],
        "two-of-a-name": [BLOCK, BLOCK],
        "input-as-output": [function("Block", "o k", CONV)],
        "other-version": [helper.make_function("own", "Block", ["i", "k"], ["o"], CONV, others)],
    }
    assert ops(file(tmp_path / "m.onnx", TWICE, kinds[kind])) == ["Input", "Opaque", "Opaque"]


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "m.onnx", [call("R", "x", "y")], [function("R", "i", [call("R", "i", "o")])])
    with pytest.raises(ResourceBomb, match="30 deep"):
        formats.read(path)


def test_functions_that_become_too_many_nodes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inlined, "MOST", 2000)
    steps = [helper.make_node("Relu", ["i"], ["v0"])]
    steps += [helper.make_node("Relu", [f"v{n}"], [f"v{n + 1}"]) for n in range(9)]
    functions = [function("F0", "i", [*steps, helper.make_node("Relu", ["v9"], ["o"])])]
    for n in range(1, 8):
        inner = [call(f"F{n - 1}", "i" if not k else f"w{k - 1}", f"w{k}") for k in range(10)]
        functions.append(function(f"F{n}", "i", [*inner, call(f"F{n - 1}", "w9", "o")]))
    path = file(tmp_path / "m.onnx", [call("F7", "x", "y")], functions)
    with pytest.raises(ResourceBomb, match="more than 2000 nodes"):
        formats.read(path)
