"""Models that take no input in common, or are copies in part: their layers are compared one by one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.report.values import Report

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
SWAPPED = {"second": "third", "third": "second"}


def filled(model: Any, seed: int) -> Any:
    random = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path or "gamma" in weight.path else -0.6
        weight.assign(random.uniform(low, low + 1.2, weight.shape))
    return model


def grid(size: int, classes: int = 2, layout: str = "channels_last") -> Any:
    """Convolutions before a head that has the grid in its kernel."""
    import keras

    layers, is_last = keras.layers, layout == "channels_last"
    image = layers.Input((size, size, 3) if is_last else (3, size, size))
    told = {"padding": "same", "data_format": layout}
    x = layers.Conv2D(5, 3, activation="relu", name="first", **told)(image)
    x = layers.BatchNormalization(axis=-1 if is_last else 1, name="norm")(x)
    x = layers.Conv2D(5, 3, use_bias=False, name="second", **told)(x)
    x = layers.Conv2D(5, 3, use_bias=False, activation="tanh", name="third", **told)(x)
    return keras.Model(image, layers.Dense(classes, name="head")(layers.Flatten()(x)))


def reshaping(size: int) -> Any:
    """A shape that stands in the model, and nothing of another shape behind it."""
    import keras

    layers = keras.layers
    image = layers.Input((size, size, 3))
    x = layers.Conv2D(5, 3, padding="same", name="first")(image)
    x = layers.Conv2D(5, 3, padding="same", use_bias=True, name="second")(x)
    x = layers.Conv2D(5, 3, padding="same", use_bias=True, name="third")(x)
    x = layers.LSTM(4, name="along")(layers.Reshape((size * size, 5))(x))
    return keras.Model(image, layers.Dense(2, name="head")(x))


def sequence(length: int) -> Any:
    import keras

    layers = keras.layers
    steps = layers.Input((length, 5))
    x = layers.LSTM(5, return_sequences=True, name="second")(steps)
    x = layers.LSTM(5, return_sequences=True, name="third")(x)
    return keras.Model(steps, layers.Dense(2, name="head")(layers.Flatten()(x)))


CASES: dict[str, tuple[Callable[[], Any], Callable[[], Any], int]] = {
    "a head of another grid": (lambda: grid(8), lambda: grid(6, 3), 4),
    "a new head": (lambda: grid(6), lambda: grid(6, 4), 4),
    "channels first": (lambda: grid(8, 2, "channels_first"), lambda: grid(6, 3, "channels_first"), 4),
    "into channels last": (lambda: grid(8, 2, "channels_first"), lambda: grid(6, 3), 4),
    "another length": (lambda: sequence(9), lambda: sequence(5), 2),
}


def transferred(folder: Path, source: Any, target: Any, is_live: bool = False, **options: Any) -> Report:
    filled(source, 1).save(folder / "s.keras")
    filled(target, 2).save(folder / "t.keras")
    where = {} if is_live else {"output": folder / "o.keras"}
    to = target if is_live else folder / "t.keras"
    return wb.transfer(folder / "s.keras", to, on_fail="return", **where, **options)


@pytest.mark.parametrize("name", CASES)
def test_layers_that_are_copies_are_compared_one_by_one(name: str, tmp_path: Path) -> None:
    source, target, count = CASES[name]
    report = transferred(tmp_path, source(), target(), fresh=["head/*"])
    evidence = report.verification.evidence
    assert (report.verdict, report.exit_code) == ("warn", 0)
    assert (evidence["alone"]["equal"], evidence["alone"]["of"]) == (count, count)
    assert [one["result"] for one in evidence["controls"]] == ["failed", "failed"]


@pytest.mark.parametrize("name", CASES)
def test_two_layers_of_one_shape_that_are_swapped_are_noticed(name: str, tmp_path: Path) -> None:
    source, target, _ = CASES[name]
    report = transferred(tmp_path, source(), target(), fresh=["head/*"], map=SWAPPED)
    assert (report.verdict, report.exit_code) == ("fail", 1)
    assert [f.target for f in report.findings if f.code == "WB402"]
    assert not (tmp_path / "o.keras").exists()


@pytest.mark.parametrize("is_live", [False, True], ids=["file", "live"])
def test_a_whole_copy_of_another_size_passes_by_its_layers(is_live: bool, tmp_path: Path) -> None:
    target = reshaping(4)
    report = transferred(tmp_path, reshaping(6), target, is_live)
    assert (report.verdict, report.verification.mode) == ("pass", "layers")
    assert "5 of 5 layers" in report.verification.evidence["strength"]
    if is_live:
        assert np.array_equal(target.get_layer("second").kernel, filled(reshaping(6), 1).layers[2].kernel)
    else:
        assert wb.verify(tmp_path / "s.keras", tmp_path / "o.keras").verdict == "pass"
        assert wb.verify(tmp_path / "s.keras", tmp_path / "t.keras").verdict == "fail"


def test_one_tensor_of_another_layer_is_noticed(tmp_path: Path) -> None:
    """The kernels of two layers swapped in the plan, their biases in place."""
    filled(reshaping(6), 1).save(tmp_path / "s.keras")
    filled(reshaping(4), 2).save(tmp_path / "t.keras")
    plan = wb.plan(tmp_path / "s.keras", tmp_path / "t.keras")
    other = {"second/kernel": ("third/kernel",), "third/kernel": ("second/kernel",)}
    steps = tuple(replace(s, sources=other.get(s.target, s.sources)) for s in plan.steps)
    report = wb.transfer(
        tmp_path / "s.keras",
        tmp_path / "t.keras",
        output=tmp_path / "o.keras",
        plan=replace(plan, steps=steps),
        on_fail="return",
    )
    assert report.exit_code == 1
    assert {f.target for f in report.findings if f.code == "WB402"} == {"second", "third"}


def scaled(factor: float, activation: str) -> Any:
    """Other inputs are expected (WB408), and another activation stands behind the first layer (WB403)."""
    import keras

    layers = keras.layers
    image = layers.Input((6, 6, 3))
    x = layers.Rescaling(factor, name="range")(image)
    x = layers.Conv2D(5, 3, padding="same", activation=activation, name="first")(x)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="second")(x)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="third")(x)
    return keras.Model(image, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("is_swapped", [False, True], ids=["right", "swapped"])
def test_other_inputs_end_no_comparison(activation: str, is_swapped: bool, tmp_path: Path) -> None:
    told = {"map": SWAPPED} if is_swapped else {}
    report = transferred(tmp_path, scaled(1 / 255, "relu"), scaled(1 / 127.5, activation), **told)
    codes = {f.code for f in report.findings if f.severity != "note"}
    assert ("WB408" in codes, "WB403" in codes) == (True, activation == "gelu")
    assert (report.exit_code, "WB402" in codes) == ((1, True) if is_swapped else (0, False))


def onnx_net(path: Path, seed: int, size: int, classes: int) -> Path:
    """The same convolutions in ONNX, of a fixed size."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(seed)
    shapes = {"first": (5, 3, 3, 3), "second": (5, 5, 3, 3), "third": (5, 5, 3, 3)}
    shapes |= {"head": (classes, 5 * size * size)}
    arrays = {f"{name}.weight": random.normal(size=shape) for name, shape in shapes.items()}
    arrays |= {"norm.weight": random.uniform(0.5, 1.5, 5), "norm.bias": random.normal(size=5)}
    arrays |= {"norm.running_mean": random.normal(size=5), "norm.running_var": random.uniform(0.5, 1.5, 5)}
    arrays |= {"first.bias": random.normal(size=5), "head.bias": random.normal(size=classes)}
    norm = [f"norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", ["x", "first.weight", "first.bias"], ["a"], name="first", **pads),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("BatchNormalization", ["b", *norm], ["c"], name="norm", epsilon=1e-3),
        helper.make_node("Conv", ["c", "second.weight"], ["d"], name="second", **pads),
        helper.make_node("Conv", ["d", "third.weight"], ["e"], name="third", **pads),
        helper.make_node("Tanh", ["e"], ["f"]),
        helper.make_node("Flatten", ["f"], ["g"]),
        helper.make_node("Gemm", ["g", "head.weight", "head.bias"], ["y"], transB=1, name="head"),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", [2, 3, size, size]), ("y", [2, classes]))
    ]
    weights = [numpy_helper.from_array(array.astype("f4"), name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "net", *ends, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize("is_swapped", [False, True], ids=["right", "swapped"])
@pytest.mark.parametrize("ends", ["onnx-onnx", "keras-onnx", "onnx-keras"])
def test_layers_of_other_formats_are_fed_alike(ends: str, is_swapped: bool, tmp_path: Path) -> None:
    """Their axes in another order, and an activation of its own on one side."""
    first, _, second = ends.partition("-")
    source, target = tmp_path / f"s.{first}", tmp_path / f"t.{second}"
    for path, seed, size, classes in ((source, 1, 6, 2), (target, 2, 4, 3)):
        if path.suffix == ".onnx":
            onnx_net(path, seed, size, classes)
        else:
            filled(grid(size, classes), seed).save(path)
    output = tmp_path / f"o.{second}"
    told = {"fresh": ["head*"], "map": SWAPPED if is_swapped else {}, "on_fail": "return"}
    report = wb.transfer(source, target, output=output, **told)
    assert report.exit_code == (1 if is_swapped else 0)
    compared = report.verification.evidence["alone"]
    assert is_swapped or (compared["equal"], compared["of"]) == (4, 4)
    assert bool([f for f in report.findings if f.code == "WB402"]) == is_swapped
