"""ONNX graphs are run with their large weights apart from the graph: the same results, less memory."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from weightbridge.formats import runner
from weightbridge.formats.onnx.file import folded

pytestmark = pytest.mark.framework
KERNEL = np.random.default_rng(0).normal(size=(160, 150)).astype("f4")
UNREAD, SMALL = np.random.default_rng(1).normal(size=(200, 200)).astype("f4"), np.arange(150, dtype="f4")
X = np.random.default_rng(2).normal(size=(3, 160)).astype("f4")
WANTED = X @ KERNEL + SMALL


def model(path: Path, *, is_input: bool = False, external: bool = False, dtype: str = "f4") -> Path:
    kernel = KERNEL.astype(dtype)
    element = helper.np_dtype_to_tensor_dtype(kernel.dtype)
    inputs = [helper.make_tensor_value_info("x", element, ["n", 160])]
    if is_input:
        inputs.append(helper.make_tensor_value_info("kernel", element, kernel.shape))
    tensors = {"kernel": kernel, "unread": UNREAD, "bias": SMALL.astype(dtype)}
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "kernel"], ["h"]), helper.make_node("Add", ["h", "bias"], ["y"])],
        "graph",
        inputs,
        [helper.make_tensor_value_info("y", element, ["n", 150])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = {"save_as_external_data": True, "location": "data.bin", "size_threshold": 0} if external else {}
    onnx.save(made, path, **options)
    return path


CASES = {
    "plain": {},
    "external": {"external": True},
    "an input too": {"is_input": True},
    "half": {"dtype": "f2"},
}


@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_the_file_does(case: str, tmp_path: Path) -> None:
    path = model(tmp_path / "model.onnx", **CASES[case])
    array = X.astype("f2") if case == "half" else X
    tolerance = 0.05 if case == "half" else 1e-5
    feeds = {"x": array} | ({"kernel": KERNEL} if case == "an input too" else {})
    np.testing.assert_allclose(runner(path).run(feeds)["y"], WANTED, rtol=tolerance, atol=tolerance * 10)
    exact = runner(path, "float64").run(feeds)["y"]
    assert exact.dtype == np.float64
    np.testing.assert_allclose(exact, WANTED, rtol=tolerance, atol=tolerance * 10)


@pytest.mark.parametrize(("case", "apart"), [("plain", ["kernel"]), ("external", ["kernel"]), ("half", [])])
def test_what_a_node_reads_stands_apart(case: str, apart: list[str], tmp_path: Path) -> None:
    """Not what nothing reads, which a runtime throws away, nor what is small or no float32 or float64."""
    from weightbridge.formats.onnx.running.weights import is_apart, parted, whole

    path = model(tmp_path / "model.onnx", **CASES[case])
    proto, weights = parted(path, folded(path)[0])
    assert [t.name for t in proto.graph.initializer if is_apart(t)] == apart == list(weights)
    assert not any(t.data_location == TensorProto.EXTERNAL for t in whole(proto, weights).graph.initializer)
    held = {t.name: numpy_helper.to_array(t) for t in whole(proto, weights).graph.initializer}
    assert {name: array.shape for name, array in held.items()} == {
        "kernel": KERNEL.shape,
        "unread": UNREAD.shape,
        "bias": SMALL.shape,
    }
    assert np.array_equal(held["kernel"], KERNEL.astype(held["kernel"].dtype))


def test_changed_weights_are_the_same_in_every_session(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    runs = runner(model(tmp_path / "model.onnx")).with_weights(
        lambda _, array: (array * generator.uniform(0.5, 2, array.shape)).astype(array.dtype)
    )
    first = runs.run({"x": X})["y"]
    assert not np.allclose(first, WANTED)
    np.testing.assert_allclose(runs.rearranged().run({"x": X})["y"], first, rtol=1e-4, atol=1e-4)
