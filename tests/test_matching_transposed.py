"""What a transposed convolution cuts off its output: named where it differs, in any framework."""

import json
from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, sequential, source
from onnx_samples import saved, values

import weightbridge as wb

# Keras: kernel, stride, padding, more; ONNX: pads of both axes, more; whether they differ
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "torch's padding 1 with one more": (
        {"kernel_size": 3, "padding": "same"},
        {"pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        True,
    ),
    "as Keras cuts off": ({"kernel_size": 3, "padding": "same"}, {"pads": [0, 0, 1, 1]}, False),
    "an even kernel": ({"kernel_size": 4, "padding": "same"}, {"pads": [1, 1, 1, 1]}, False),
    "same, chosen by ONNX": ({"kernel_size": 3, "padding": "same"}, {"auto_pad": "SAME_UPPER"}, False),
    "the other half, chosen by ONNX": (
        {"kernel_size": 3, "padding": "same"},
        {"auto_pad": "SAME_LOWER"},
        True,
    ),
    "nothing cut off": ({"kernel_size": 3, "padding": "valid"}, {"pads": [0, 0, 0, 0]}, False),
    "cut off on one side only": ({"kernel_size": 3, "padding": "valid"}, {"pads": [1, 1, 1, 1]}, True),
    "one more on both sides": (
        {"kernel_size": 3, "padding": "valid", "output_padding": 1},
        {"output_padding": [1, 1]},
        False,
    ),
    "one more on one side only": ({"kernel_size": 3, "padding": "valid"}, {"output_padding": [1, 1]}, True),
    "a stride longer than the kernel": (
        {"kernel_size": 2, "strides": 3, "padding": "valid"},
        {"output_padding": [1, 1]},
        False,
    ),
}


def onnx_file(path: Path, kernel: int, stride: int, attributes: dict[str, Any]) -> Path:
    node = ("ConvTranspose", ["x", "w"], ["y"], {"strides": [stride, stride], **attributes})
    return saved(path, [node], {"w": values((3, 4, kernel, kernel))}, {"x": ["n", 3, 8, 8]}, ["y"])


def keras_file(path: Path, config: dict[str, Any], *behind: dict[str, Any]) -> Path:
    up = layer("Conv2DTranspose", "up", **{"filters": 4, "strides": 2, "use_bias": False, **config})
    path.write_text(json.dumps(sequential(source("x", [8, 8, 3]), up, *behind)))
    return path


def said(a: Path, b: Path) -> bool:
    return any(f.code == "WB403" and f.about == "padding" for f in wb.check(a, b).findings)


@pytest.mark.parametrize(("keras", "onnx", "differs"), CASES.values(), ids=CASES)
def test_a_difference_is_named(
    tmp_path: Path, keras: dict[str, Any], onnx: dict[str, Any], differs: bool
) -> None:
    target = keras_file(tmp_path / "m.json", keras)
    source = onnx_file(tmp_path / "m.onnx", keras["kernel_size"], keras.get("strides", 2), onnx)
    assert said(source, target) is differs
    assert said(target, source) is differs


def test_cropping_behind_it_counts(tmp_path: Path) -> None:
    crop = layer("Cropping2D", "crop", cropping=1)
    target = keras_file(tmp_path / "m.json", {"kernel_size": 3, "padding": "valid"}, crop)
    assert not said(onnx_file(tmp_path / "m.onnx", 3, 2, {"pads": [1, 1, 1, 1]}), target)
    assert said(onnx_file(tmp_path / "o.onnx", 3, 2, {"pads": [0, 0, 0, 0]}), target)
