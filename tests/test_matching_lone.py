"""Layers of one tensor that ONNX writes as a product, and convolutions by channel that Keras writes with
groups.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats

DENSE, SCALE = values((4, 4), 1), values((4,), 2)


def filled(
    folder: Path, ops: list[Op], tensors: dict[str, np.ndarray], target: Path, shape: list[int]
) -> dict[str, np.ndarray]:
    given = saved(folder / "s.onnx", ops, tensors, {"x": ["n", *shape]}, ["y"])
    wb.transfer(given, target, output=folder / "o.keras", verify=False, fail_on="never")
    return {t.name: t.load() for t in formats.read(folder / "o.keras").tensors}


def scaled(path: Path) -> Path:
    """A dense layer, a layer of the user's own with one vector, a dense layer."""
    dense = [layer("Dense", name, units=4, use_bias=False) for name in "ab"]
    config = sequential(
        source("x", [4]), dense[0], layer("LayerScale", "ls", module="mine", build=[None, 4]), dense[1]
    )
    groups = {
        "dense": ("a", (numbers(4, 4),)),
        "layer_scale": ("ls", (numbers(4),)),
        "dense_1": ("b", (numbers(4, 4),)),
    }
    return write_keras(path, config, {f"layers/{name}": group for name, group in groups.items()})


@pytest.mark.parametrize(("op", "is_taken"), [("Mul", True), ("Div", False)])
def test_a_scale_goes_into_a_layer_of_unknown_class(tmp_path: Path, op: str, is_taken: bool) -> None:
    ops: list[Op] = [
        ("MatMul", ["x", "w"], ["m"], {}),
        (op, ["m", "s"], ["d"], {}),
        ("MatMul", ["d", "v"], ["y"], {}),
    ]
    found = filled(tmp_path, ops, {"w": DENSE, "s": SCALE, "v": DENSE + 1}, scaled(tmp_path / "t.keras"), [4])
    assert np.array_equal(found["a/kernel"], DENSE)
    assert np.array_equal(next(v for n, v in found.items() if n.startswith("ls/")), SCALE) is is_taken


def grouped(path: Path, filters: int) -> Path:
    options = {"filters": filters, "kernel_size": [3, 3], "groups": 4, "use_bias": False, "padding": "same"}
    config = sequential(
        source("x", [8, 8, 4]),
        layer("Conv2D", "c", **options),
        layer("Conv2D", "d", filters=3, kernel_size=[3, 3]),
    )
    kernels = (numbers(3, 3, 1, filters),), (numbers(3, 3, filters, 3), numbers(3))
    return write_keras(
        path, config, {"layers/conv2d": ("c", kernels[0]), "layers/conv2d_1": ("d", kernels[1])}
    )


@pytest.mark.parametrize("filters", [4, 8], ids=["one filter each", "two filters each"])
def test_a_convolution_by_channel_goes_into_one_with_groups(tmp_path: Path, filters: int) -> None:
    tensors = {"k": values((filters, 1, 3, 3), 1), "l": values((3, filters, 3, 3), 2), "b": values((3,), 3)}
    ops: list[Op] = [
        ("Conv", ["x", "k"], ["c"], {"group": 4, "pads": [1, 1, 1, 1]}),
        ("Conv", ["c", "l", "b"], ["y"], {}),
    ]
    found = filled(tmp_path, ops, tensors, grouped(tmp_path / "t.keras", filters), [4, 8, 8])
    assert np.array_equal(found["c/kernel"], tensors["k"].transpose(2, 3, 1, 0))
    assert np.array_equal(found["d/kernel"], tensors["l"].transpose(2, 3, 1, 0))


def test_of_one_channel_a_plain_convolution_is_one_by_channel(tmp_path: Path) -> None:
    """No exporter can tell: one group of one channel."""
    depth = layer("DepthwiseConv2D", "d", kernel_size=[3, 3], use_bias=False)
    config = sequential(
        source("x", [8, 8, 1]), depth, layer("Conv2D", "c", filters=3, kernel_size=[3, 3], use_bias=False)
    )
    groups = {
        "layers/depthwise_conv2d": ("d", (numbers(3, 3, 1, 1),)),
        "layers/conv2d": ("c", (numbers(3, 3, 1, 3),)),
    }
    tensors = {"k": values((1, 1, 3, 3), 1), "l": values((3, 1, 3, 3), 2)}
    ops: list[Op] = [("Conv", ["x", "k"], ["d"], {}), ("Conv", ["d", "l"], ["y"], {})]
    found = filled(tmp_path, ops, tensors, write_keras(tmp_path / "t.keras", config, groups), [1, 8, 8])
    assert np.array_equal(
        next(v for n, v in found.items() if n.startswith("d/"))[:, :, 0, 0], tensors["k"][0, 0]
    )
    assert np.array_equal(found["c/kernel"], tensors["l"].transpose(2, 3, 1, 0))
