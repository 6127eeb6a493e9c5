"""Slopes of PReLU, one for every place of a map, that an exporter writes out in single steps.

Layout and sign are the target's.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras
from onnx_samples import Op, saved, values

import weightbridge as wb

SIZE, WIDTH = 4, 3
STEPS: list[Op] = [
    ("Relu", ["c"], ["p"], {}),
    ("Neg", ["c"], ["n"], {}),
    ("Relu", ["n"], ["q"], {}),
    ("Mul", ["q", "a"], ["m"], {}),
]
TURN: Op = ("Transpose", ["d"], ["c"], {"perm": [0, 2, 3, 1]})


def target(folder: Path, width: int) -> Path:
    convolution = layer("Conv2D", "a", filters=width, kernel_size=[1, 1], use_bias=False)
    slopes = layer("PReLU", "b", shared_axes=None, build=[None, SIZE, SIZE, width])
    arrays = {
        "layers/conv2d": ("", [numbers(1, 1, 1, width)]),
        "layers/p_re_lu": ("", [numbers(SIZE, SIZE, width)]),
    }
    return write_keras(
        folder / "t.keras", sequential(source("x", [SIZE, SIZE, 1]), convolution, slopes), arrays
    )


def exported(folder: Path, *, last: bool) -> tuple[Path, np.ndarray]:
    """The model, and the slopes as Keras has them."""
    slopes = values((SIZE, SIZE, WIDTH) if last else (WIDTH, SIZE, SIZE), 2)
    tensors = {"k": values((WIDTH, 1, 1, 1), 1), "a": -slopes}
    ops = [
        ("Conv", ["x", "k"], ["d" if last else "c"], {}),
        *([TURN] if last else []),
        *STEPS,
        ("Add", ["p", "m"], ["y"], {}),
    ]
    model = saved(folder / "s.onnx", ops, tensors, {"x": [2, 1, SIZE, SIZE]}, ["y"])
    return model, slopes if last else slopes.transpose(1, 2, 0)


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
def test_slopes_of_every_place_arrive_as_they_are_meant(tmp_path: Path, last: bool) -> None:
    model, slopes = exported(tmp_path, last=last)
    wb.transfer(model, target(tmp_path, WIDTH), output=tmp_path / "o.keras", verify=False)
    found = next(t.load() for t in wb.read(tmp_path / "o.keras").tensors if t.role == "alpha")
    np.testing.assert_array_equal(found, slopes)


def test_values_of_the_other_sign_are_not_adapted(tmp_path: Path) -> None:
    model, _ = exported(tmp_path, last=True)
    (step,) = (s for s in wb.plan(model, target(tmp_path, WIDTH + 2)).steps if s.target == "b/alpha")
    assert step.kind == "fresh"
