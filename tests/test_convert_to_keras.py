"""convert from ONNX to Keras: channels last, Keras's own layers alone, and the same function."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import images, randomised
from test_convert import classes_of, converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
GENERATOR = np.random.default_rng(0)


def weights(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {name: GENERATOR.normal(size=shape).astype("float32") / 3 for name, shape in shapes.items()}


def graph(
    path: Path,
    nodes: list[tuple[Any, ...]],
    values: dict[str, np.ndarray],
    shape: list[Any],
    opset: int = 17,
) -> Path:
    """An ONNX file of nodes (op, inputs, output, attributes) from `x` to `y`."""
    from onnx import TensorProto, helper, numpy_helper, save

    made = [
        helper.make_node(op, fed.split(), [out], name=out, **settings) for op, fed, out, settings in nodes
    ]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    asked = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    model = helper.make_model(
        helper.make_graph(made, "g", given, asked, tensors), opset_imports=[helper.make_opsetid("", opset)]
    )
    save(model, path)
    return path


def block(path: Path) -> Path:
    """As torch writes it: channels first, padding of negative values, a Flatten of a map."""
    nodes = [
        ("Conv", "x stem.weight stem.bias", "stem", {"pads": [2, 2, 2, 2], "strides": [2, 2]}),
        ("MaxPool", "stem", "pool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("Conv", "pool a.weight", "a", {"pads": [1, 1, 1, 1]}),
        ("Add", "a pool", "add", {}),
        ("Relu", "add", "relu", {}),
        ("Concat", "relu pool", "both", {"axis": 1}),
        ("Flatten", "both", "flat", {"axis": 1}),
        ("Gemm", "flat fc.weight fc.bias", "y", {"transB": 1}),
    ]
    shapes = {"stem.weight": (6, 3, 5, 5), "stem.bias": (6,), "a.weight": (6, 6, 3, 3),
              "fc.weight": (4, 12 * 5 * 4), "fc.bias": (4,)}  # fmt: skip
    return graph(path, nodes, weights(**shapes), ["n", 3, 20, 16])


def test_a_graph_with_channels_first_becomes_one_with_channels_last(tmp_path: Path) -> None:
    output = tmp_path / "model.keras"
    code, report = converted(block(tmp_path / "model.onnx"), output)
    assert code == 0, report["findings"]
    evidence = report["verification"]["evidence"]
    assert evidence["reference"] == "onnxruntime"
    assert evidence["layout"] == "to-last"
    assert all(step["contract"] == "bitwise" for step in report["steps"])
    kinds = classes_of(output)
    assert "Permute" not in kinds
    assert kinds.count("Flatten") == 1


def test_input_layout_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    import keras

    output = tmp_path / "model.keras"
    code, report = converted(block(tmp_path / "model.onnx"), output, "--input-layout", "nchw")
    assert code == 0, report["findings"]
    assert keras.models.load_model(output).input_shape == (None, 3, 20, 16)


def test_an_operator_without_a_counterpart_is_named(tmp_path: Path) -> None:
    source = graph(tmp_path / "model.onnx", [("Det", "x", "y", {})], {}, ["n", 3, 3])
    code, report = converted(source, tmp_path / "model.keras")
    assert code == 4
    assert not (tmp_path / "model.keras").exists()
    (finding,) = report["findings"]
    assert finding["code"] == "WB107"
    assert "Det" in finding["message"]


def onnx_of(build: Callable[[], Any], path: Path) -> Path:
    randomised(build()).save(path.with_suffix(".keras"))
    code, report = converted(path.with_suffix(".keras"), path, "--no-verify")
    assert code == 0, report["findings"]
    return path


@pytest.mark.parametrize("name", ["one-axis", "transposed", "norms", "views", "dense-on-images", "shared"])
def test_there_and_back(name: str, tmp_path: Path) -> None:
    first = onnx_of(images()[name], tmp_path / "model.onnx")
    code, report = converted(first, tmp_path / "again.keras", "--evidence", "quick")
    assert code == 0, report["findings"]
