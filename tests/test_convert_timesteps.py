"""Batch and steps as one axis, layers, and both axes again: TimeDistributed, of a layer or of a model."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import load
from onnx.reference import ReferenceEvaluator
from onnx_samples import Op, saved, values

import weightbridge as wb

STEPS, WIDE = 4, 8
TENSORS = {
    "join": np.array([-1, 3, WIDE, WIDE], np.int64),
    "part": np.array([-1, STEPS, 5 * WIDE * WIDE], np.int64),
    "apart": np.array([-1, STEPS, 5, WIDE, WIDE], np.int64),
    "rows": np.array([-1, 5 * WIDE * WIDE], np.int64),
    "k": values((5, 3, 3, 3)),
    "b": values((5,), 1),
    "scale": values((5,), 2),
    "fc": values((5 * WIDE * WIDE, 6), 3),
}
CONV: Op = ("Conv", ["joined", "k", "b"], ["conv"], {"pads": [1, 1, 1, 1]})
NORM: Op = ("BatchNormalization", ["conv", "scale", "b", "b", "scale"], ["norm"], {})
FIRST: Op = ("Reshape", ["x", "join"], ["joined"], {})
LAST: Op = ("MatMul", ["each", "fc"], ["y"], {})


def back(name: str, shape: str = "part") -> Op:
    return ("Reshape", [name, shape], ["each"], {})


RELU: Op = ("Relu", ["norm"], ["relu"], {})
FLAT: Op = ("Flatten", ["relu"], ["flat"], {})
CASES: dict[str, tuple[list[Op], list[str]]] = {
    "a-map": ([FIRST, CONV, back("conv"), LAST], ["TimeDistributed:Functional", "Reshape", "Dense"]),
    "a-model": ([FIRST, CONV, NORM, RELU, FLAT, back("flat"), LAST], ["TimeDistributed:Functional", "Dense"]),
}


def classes(path: Path) -> list[str]:
    """As the configuration has them; what a wrapper wraps behind a colon."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))["config"]
    return [_named(layer) for layer in config["layers"] if layer["class_name"] != "InputLayer"]


def _named(layer: dict[str, Any]) -> str:
    inner = layer["config"].get("layer")
    return layer["class_name"] + (f":{inner['class_name']}" if inner else "")


def outputs(path: Path, fed: np.ndarray) -> list[np.ndarray]:
    evaluator = ReferenceEvaluator(load(path))
    found: list[np.ndarray] = evaluator.run(None, {evaluator.input_names[0]: fed})
    return found


def there_and_back(folder: Path, ops: Sequence[Op], shape: Sequence[int | str]) -> tuple[Path, Path, Path]:
    first = saved(folder / "a.onnx", ops, TENSORS, {"x": shape}, ("y",))
    wb.convert(first, folder / "b.keras", verify=False, input_layout="nchw")
    wb.convert(folder / "b.keras", folder / "b.onnx", verify=False)
    return first, folder / "b.keras", folder / "b.onnx"


@pytest.mark.parametrize("name", CASES)
def test_layers_for_each_step(name: str, tmp_path: Path) -> None:
    ops, wanted = CASES[name]
    first, keras, again = there_and_back(tmp_path, ops, ["n", STEPS, 3, WIDE, WIDE])
    assert classes(keras) == wanted
    fed = np.random.default_rng(0).normal(size=(2, STEPS, 3, WIDE, WIDE)).astype("float32")
    np.testing.assert_allclose(outputs(again, fed)[0], outputs(first, fed)[0], rtol=1e-5)


def test_the_joined_axis_as_an_output_is_refused(tmp_path: Path) -> None:
    ops: list[Op] = [FIRST, ("Conv", ["joined", "k", "b"], ["y"], {})]
    with pytest.raises(wb.WeightbridgeError, match="joins the batch with another axis"):
        there_and_back(tmp_path, ops, ["n", STEPS, 3, WIDE, WIDE])


def test_a_dense_layer_takes_steps_by_itself(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("Reshape", ["x", "rows"], ["joined"], {}),
        ("MatMul", ["joined", "fc"], ["dense"], {}),
        ("Reshape", ["dense", "outs"], ["y"], {}),
    ]
    TENSORS["outs"] = np.array([-1, STEPS, 6], np.int64)
    _, keras, _ = there_and_back(tmp_path, ops, ["n", STEPS, 5 * WIDE * WIDE])
    assert classes(keras) == ["Dense"]


def windows(axis: int) -> list[Op]:
    """Scores of each window: parts of the last axes, and a table of positions."""
    half = {"starts": "zero", "ends": "two"}
    return [
        ("Reshape", ["x", "windows"], ["joined"], {}),
        ("Slice", ["joined", half["starts"], half["ends"], f"axis{axis}"], ["part"], {}),
        ("Add", ["part", "table"], ["biased"], {}),
        ("Softmax", ["biased"], ["soft"], {"axis": -1}),
        ("Reshape", ["soft", "each"], ["y"], {}),
    ]


@pytest.mark.parametrize("axis", [1, 2])
def test_layers_that_name_their_axes_in_windows(axis: int, tmp_path: Path) -> None:
    shape = (2, 6) if axis == 1 else (4, 2)
    extra = {
        "windows": np.array([-1, 4, 6], np.int64),
        "zero": np.array([0], np.int64),
        "two": np.array([2], np.int64),
        f"axis{axis}": np.array([axis], np.int64),
        "table": values((1, *shape), 4),
        "each": np.array([-1, STEPS, *shape], np.int64),
    }
    first = saved(tmp_path / "a.onnx", windows(axis), extra, {"x": ["n", STEPS, 4, 6]}, ("y",))
    wb.convert(first, tmp_path / "b.keras", verify=False)
    wb.convert(tmp_path / "b.keras", tmp_path / "b.onnx", verify=False)
    fed = np.random.default_rng(0).normal(size=(2, STEPS, 4, 6)).astype("float32")
    np.testing.assert_allclose(outputs(tmp_path / "b.onnx", fed)[0], outputs(first, fed)[0], rtol=1e-5)
