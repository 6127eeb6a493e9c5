"""How the pixels of a resized axis are made of those before: https://onnx.ai/onnx/operators/onnx__Resize.html"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array

ROUNDINGS: Mapping[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}
TABLE = (
    1024  # the steps between two pixels for which TensorFlow knows the shares of a cubic (resize_bicubic_op)
)
TAPS = {"linear": (0, 1), "cubic": (-1, 0, 1, 2)}  # which pixels count, from the one before the place on


def interpolation(_: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """(length, size): what each pixel of the result takes of each pixel before, in one row for the latter.

    length, size, scale, coordinates: as `places`. mode: `linear` or `cubic`, of which `cubic` is the
    coefficient. exclude: whether pixels outside do not count; else those at the border stand for them. table:
    whether places are rounded to the steps of TensorFlow's.
    """
    length, mode = int(parameters["length"]), str(parameters["mode"])
    told = (int(parameters["size"]), float(parameters["scale"]), str(parameters["coordinates"]))
    at = places(length, *told, np.float64)
    if mode == "linear":
        at = np.clip(at, 0, length - 1)
    first = np.floor(at)
    at = first + np.rint((at - first) * TABLE) / TABLE if parameters.get("table") else at
    matrix = np.zeros((length, len(at)))
    for tap in TAPS[mode]:
        pixels, shares = first + tap, _shares(at - first - tap, mode, float(parameters.get("cubic", -0.75)))
        is_inside = (pixels >= 0) & (pixels < length)
        shares = np.where(is_inside, shares, 0.0) if parameters.get("exclude") else shares
        np.add.at(matrix, (np.clip(pixels, 0, length - 1).astype(int), np.arange(len(at))), shares)
    return np.asarray(matrix / matrix.sum(axis=0))


def is_in_table(length: int, size: int) -> bool:
    """Whether resizing by centres reads a cubic at whole steps of TensorFlow's table alone."""
    steps = places(length, size, size / length, "half_pixel", np.float64) * TABLE
    return bool(np.allclose(steps, np.rint(steps), atol=1e-3))


def nearest(length: int, size: int, scale: float, coordinates: str, rounding: str) -> list[int]:
    """The pixel that each pixel of the result is, by float32 as runtimes compute it."""
    at = ROUNDINGS[rounding](places(length, size, scale, coordinates, np.float32))
    return [int(n) for n in np.clip(at, 0, length - 1)]


def places(length: int, size: int, scale: float, coordinates: str, dtype: type[np.floating[Any]]) -> Array:
    """Where each pixel of the result lies among those before. Raises KeyError for other coordinates."""
    pixels, factor, half = np.arange(size, dtype=dtype), dtype(scale), dtype(0.5)
    centres = (pixels + half) / factor - half
    middle = dtype(length / 2 * (1 - size / (scale * length)))
    found = {
        "half_pixel": centres,
        "pytorch_half_pixel": centres if size > 1 else np.zeros(size, dtype),
        "half_pixel_symmetric": middle + centres,
        "align_corners": pixels * dtype(length - 1) / dtype(max(size - 1, 1)),
        "asymmetric": pixels / factor,
        "tf_half_pixel_for_nn": (pixels + half) / factor,
    }
    return np.asarray(found[coordinates])


def _shares(distance: Array, mode: str, a: float) -> Array:
    d = np.abs(distance)
    if mode == "linear":
        return np.asarray(np.maximum(1 - d, 0.0))
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.asarray(np.where(d <= 1, near, np.where(d < 2, far, 0.0)))
