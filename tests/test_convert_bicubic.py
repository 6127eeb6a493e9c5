"""Bicubic resizing: TensorFlow rounds the places between pixels to 1,024 steps, ONNX's Resize does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge.errors import Unsupported
from weightbridge.transforms.interpolation import interpolation, is_in_table


@pytest.mark.parametrize(
    ("length", "size", "told"),
    [(8, 16, True), (64, 16, True), (7, 7, True), (8, 24, False), (9, 13, False), (13, 7, False)],
)
def test_which_lengths_a_resize_says(length: int, size: int, told: bool) -> None:
    shape = {"length": length, "size": size, "scale": size / length, "coordinates": "half_pixel"}
    exact = {**shape, "mode": "cubic", "cubic": -0.5, "exclude": True}
    apart = np.abs(interpolation((), exact) - interpolation((), {**exact, "table": True})).max()
    assert is_in_table(length, size) == told
    assert apart < 1e-12 if told else 1e-5 < apart < 2e-3


def model(*, size: Any = None, scale: Any = None, shape: Any = (9, 11, 3)) -> Any:
    import keras
    from keras import layers as k

    resized = k.UpSampling2D(scale, interpolation="bicubic") if scale else k.Resizing(*size, "bicubic")
    return keras.Sequential([keras.Input(shape), resized])


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("given", "layers"),
    [
        ({"size": (13, 7)}, ["EinsumDense", "EinsumDense"]),
        ({"scale": 3}, ["EinsumDense", "EinsumDense"]),
        ({"scale": 2, "shape": (None, None, 3)}, ["UpSampling2D"]),
    ],
    ids=["odd", "three", "two"],
)
def test_there_and_back(given: Any, layers: list[str], tmp_path: Path) -> None:
    model(**given).save(tmp_path / "m.keras")
    there = wb.convert(tmp_path / "m.keras", tmp_path / "m.onnx")
    back = wb.convert(tmp_path / "m.onnx", tmp_path / "back.keras")
    assert max(output["ratio"] for report in (there, back) for output in report.verification.outputs) <= 4
    found = [layer.class_name for layer in wb.read(tmp_path / "back.keras").layers]
    assert [name for name in found if name not in ("InputLayer", "Permute")] == layers


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_lengths_that_are_not_known_are_refused(tmp_path: Path) -> None:
    model(scale=3, shape=(None, None, 3)).save(tmp_path / "m.keras")
    with pytest.raises(Unsupported, match="TensorFlow rounds and ONNX does not"):
        wb.convert(tmp_path / "m.keras", tmp_path / "m.onnx")


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_a_resize_of_another_file_is_no_layer_that_rounds(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}
    settings |= {"coordinate_transformation_mode": "half_pixel"}
    nodes: list[Op] = [("Conv", ["x", "w"], ["c"], {}), ("Resize", ["c", "", "s"], ["y"], settings)]
    tensors = {"w": values((3, 3, 1, 1), 1), "s": np.array([1, 1, 1.5, 1.5], "f4")}
    source = saved(tmp_path / "m.onnx", nodes, tensors, {"x": ["n", 3, 8, 10]}, ["y"])
    report = wb.convert(source, tmp_path / "m.keras")
    assert max(output["ratio"] for output in report.verification.outputs) <= 4
