"""An activation of its own on one side, a neighbour's attribute on the other: no WB403 where both are the
same.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, conv, wired, write
from onnx_samples import Op, saved, values

import weightbridge as wb


def own(activation: str) -> Config:
    return layer("Activation", f"own_{activation}", activation=activation)


def net(*between: Config, activation: str = "linear") -> Config:
    first = conv("first", 4, activation=activation, use_bias=True)
    return wired(source("x", [8, 8, 3]), first, *between, conv("last", 2, 1))


def branch(*between: Config, activation: str = "linear", behind: tuple[Config, ...] = ()) -> Config:
    """A convolution beside a shortcut, joined by Add. behind: what follows the sum."""
    first, second = conv("first", 4, use_bias=True), conv("second", 4, activation=activation, use_bias=True)
    last = between[-1]["name"] if between else "second"
    layers = (first, second, *between, layer("Add", "add"), *behind, conv("last", 2, 1))
    return wired(source("x", [8, 8, 3]), *layers, add=("first", last))


CROP = layer("Cropping2D", "crop", cropping=[[1, 0], [1, 0]])
NORM = layer("GroupNormalization", "norm", groups=2)
UNKNOWN = layer("Mystery", "mystery", module="mine")


def said(folder: Path, before: Config, after: Config) -> list[str]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after))
    return [
        found.message for found in report.findings if found.code == "WB403" and found.about == "activation"
    ]


SAME = {
    "behind-cropping": (net(CROP, activation="gelu"), net(CROP, own("gelu"))),
    "behind-a-group-norm": (net(NORM, own("relu")), net(NORM, own("relu"))),
    "behind-an-unknown-layer": (net(UNKNOWN, activation="relu"), net(UNKNOWN, own("relu"))),
    "before-a-sum": (branch(activation="relu"), branch(own("relu"))),
    "behind-a-sum": (branch(behind=(own("relu"),)), branch(behind=(own("relu"),))),
    "right-behind": (net(activation="swish"), net(own("swish"))),
}


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize("is_turned", [False, True], ids=["there", "back"])
def test_the_same_function_is_no_finding(
    tmp_path: Path, before: Config, after: Config, is_turned: bool
) -> None:
    pair = (after, before) if is_turned else (before, after)
    assert said(tmp_path, *pair) == []


OTHER = {
    "another-one-behind-cropping": (net(CROP, activation="gelu"), net(CROP, own("relu"))),
    "none-at-all": (net(CROP, activation="gelu"), net(CROP)),
    "another-one-before-a-sum": (branch(activation="relu"), branch(own("gelu"))),
    "behind-a-sum-instead-of-before": (branch(activation="relu"), branch(behind=(own("relu"),))),
    "before-a-group-norm": (net(NORM, activation="relu"), net(NORM, own("relu"))),
}


@pytest.mark.parametrize(("before", "after"), OTHER.values(), ids=OTHER.keys())
def test_another_function_is_said(tmp_path: Path, before: Config, after: Config) -> None:
    assert said(tmp_path, before, after)


def quantised(path: Path, kind: str, zero: int, has_relu: bool) -> Path:
    """Two convolutions in ONNX, and what stands between them. kind: the quantiser's dtype, "" for none."""
    tensors = {"a": values((4, 3, 1, 1), 1), "b": values((2, 4, 1, 1), 2), "scale": np.float32(0.1)}
    ops: list[Op] = [("Conv", ["x", "a"], ["p"], {})]
    ops += [("Relu", ["p"], ["r"], {})] * has_relu
    last = "r" if has_relu else "p"
    if kind:
        tensors["zero"] = np.array(zero, kind)
        ops.append(("QuantizeLinear", [last, "scale", "zero"], ["q"], {}))
        ops.append(("DequantizeLinear", ["q", "scale", "zero"], ["d"], {}))
        last = "d"
    ops.append(("Conv", [last, "b"], ["y"], {}))
    return saved(path, ops, tensors, {"x": ["n", 3, 4, 4]}, ["y"])


def two(folder: Path, activation: str) -> Path:
    layers = [conv("a", 4, 1, activation=activation), conv("b", 2, 1)]
    return write(folder, "keras", wired(source("x", [4, 4, 3]), *layers))


@pytest.mark.parametrize(("kind", "zero"), [("u1", 0), ("i1", -128)])
@pytest.mark.parametrize("is_turned", [False, True], ids=["there", "back"])
def test_a_quantiser_that_clips_may_be_the_activation(
    tmp_path: Path, kind: str, zero: int, is_turned: bool
) -> None:
    pair = [two(tmp_path, "relu"), quantised(tmp_path / "q.onnx", kind, zero, has_relu=False)]
    report = wb.check(*(reversed(pair) if is_turned else pair))
    assert not [f for f in report.findings if f.about == "activation"]


@pytest.mark.parametrize(("activation", "has_relu", "count"), [("relu", False, 1), ("relu", True, 0)])
def test_without_a_quantiser_the_activation_counts(
    tmp_path: Path, activation: str, has_relu: bool, count: int
) -> None:
    plain = quantised(tmp_path / "q.onnx", "", 0, has_relu)
    report = wb.check(two(tmp_path, activation), plain)
    assert len([f for f in report.findings if f.about == "activation"]) == count
