"""Resizing as a matrix for each axis, against onnxruntime."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from weightbridge.transforms.interpolation import interpolation, nearest, places

pytestmark = pytest.mark.framework

COORDINATES = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners", "asymmetric")
LENGTHS = ((5, 12, None), (6, 9, 1.5), (8, 4, 0.5), (7, 1, None), (4, 10, 2.6))
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
CASES = [(*one, *lengths) for one in product(("linear", "cubic"), COORDINATES) for lengths in LENGTHS]


def resized(values: np.ndarray, size: int, scale: float | None, **settings: Any) -> np.ndarray:
    """By onnxruntime, along the last of four axes."""
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    told = ("", "sizes") if scale is None else ("scales", "")
    numbers = {
        "scales": np.array([1, 1, 1, scale or 1], np.float32),
        "sizes": np.array([1, 1, 1, size], np.int64),
    }
    node = helper.make_node("Resize", ["x", "", *told], ["y"], **settings)
    made = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, name) for name, a in numbers.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 19)], ir_version=8)
    (result,) = ort.InferenceSession(model.SerializeToString()).run(None, {"x": values[None, None, None]})
    return np.asarray(result)[0, 0, 0]


def values(length: int) -> np.ndarray:
    return np.random.default_rng(length).normal(size=length).astype(np.float32)


@pytest.mark.parametrize(("mode", "coordinates", "length", "size", "scale"), CASES)
def test_a_matrix_is_what_onnxruntime_does(
    mode: str, coordinates: str, length: int, size: int, scale: float | None
) -> None:
    told = {"length": length, "size": size, "scale": scale or size / length, "coordinates": coordinates}
    matrix = interpolation((), {**told, "mode": mode})
    wanted = resized(values(length), size, scale, mode=mode, coordinate_transformation_mode=coordinates)
    np.testing.assert_allclose(values(length) @ matrix, wanted, atol=1e-5)


@pytest.mark.parametrize("exclude", [0, 1])
def test_what_lies_outside(exclude: int) -> None:
    settings = {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": exclude}
    told = {"length": 5, "size": 12, "scale": 2.4, "coordinates": "half_pixel", "cubic": -0.5}
    matrix = interpolation((), {**told, "mode": "cubic", "exclude": bool(exclude)})
    np.testing.assert_allclose(values(5) @ matrix, resized(values(5), 12, None, **settings), atol=1e-5)
    other = interpolation((), {**told, "mode": "cubic", "exclude": not exclude})
    assert not np.allclose(matrix, other)


@pytest.mark.parametrize(("rounding", "coordinates"), list(product(ROUNDINGS, COORDINATES)))
def test_the_nearest_pixels(rounding: str, coordinates: str) -> None:
    for length, size, scale in LENGTHS:
        picked = nearest(length, size, scale or size / length, coordinates, rounding)
        settings = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
        wanted = resized(values(length), size, scale, mode="nearest", **settings)
        np.testing.assert_array_equal(values(length)[picked], wanted)


def test_other_ways_to_find_pixels_are_not_known() -> None:
    with pytest.raises(KeyError):
        places(4, 8, 2.0, "tf_crop_and_resize", np.float32)
