"""The order in which a map of channels is flattened.

As the graph turns it, wherever the bias of its convolution is added.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge.matching.units.flattening import turns_map

SIZE, WIDTH, UNITS = 4, 3, 5
TURN: Op = ("Transpose", ["c"], ["t"], {"perm": [0, 2, 3, 1]})
OPS: dict[str, list[Op]] = {
    "bias before the turn": [("Conv", ["x", "k", "b"], ["c"], {}), TURN, ("Flatten", ["t"], ["f"], {})],
    "bias behind it": [
        ("Conv", ["x", "k"], ["c"], {}),
        TURN,
        ("Add", ["t", "last"], ["s"], {}),
        ("Flatten", ["s"], ["f"], {}),
    ],
    "never turned": [("Conv", ["x", "k", "b"], ["c"], {}), ("Flatten", ["c"], ["f"], {})],
    "bias apart, never turned": [
        ("Conv", ["x", "k"], ["c"], {}),
        ("Add", ["c", "first"], ["s"], {}),
        ("Flatten", ["s"], ["f"], {}),
    ],
}


def target(folder: Path) -> Path:
    config = sequential(
        source("x", [SIZE, SIZE, 1]),
        layer("Conv2D", "a", filters=WIDTH, kernel_size=[1, 1], use_bias=True),
        layer("Flatten", "b"),
        layer("Dense", "c", units=UNITS, use_bias=False),
    )
    kernels = [numbers(1, 1, 1, WIDTH), numbers(WIDTH)], [numbers(SIZE * SIZE * WIDTH, UNITS)]
    return write_keras(
        folder / "t.keras", config, {"layers/conv2d": ("", kernels[0]), "layers/dense": ("", kernels[1])}
    )


@pytest.mark.parametrize("name", OPS)
def test_the_rows_of_a_dense_layer_stand_in_the_order_of_its_map(tmp_path: Path, name: str) -> None:
    bias = values((WIDTH,), 2)
    tensors = {"k": values((WIDTH, 1, 1, 1), 1), "w": values((SIZE * SIZE * WIDTH, UNITS), 3)}
    tensors |= {"b": bias, "last": bias.reshape(1, 1, 1, -1), "first": bias.reshape(1, -1, 1, 1)}
    used = {v for _, inputs, _, _ in OPS[name] for v in inputs} | {"w"}
    given = {n: a for n, a in tensors.items() if n in used}
    model = saved(
        tmp_path / "s.onnx",
        [*OPS[name], ("MatMul", ["f", "w"], ["y"], {})],
        given,
        {"x": [2, 1, SIZE, SIZE]},
        ["y"],
    )
    wb.transfer(model, target(tmp_path), output=tmp_path / "o.keras", verify=False)
    found = next(t.load() for t in wb.read(tmp_path / "o.keras").tensors if t.name == "c/kernel")
    is_turned = TURN in OPS[name]
    rows = (
        tensors["w"]
        if is_turned
        else tensors["w"].reshape(WIDTH, SIZE * SIZE, UNITS).swapaxes(0, 1).reshape(-1, UNITS)
    )
    np.testing.assert_array_equal(found, rows)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("o (c h w) -> (h w c) o", True),
        ("(w c) o -> o (c w)", True),
        ("(c m) 1 h w -> h w c m", False),
        ("o i h w -> h w i o", False),
        ("", False),
    ],
)
def test_the_channels_of_a_depthwise_kernel_are_no_flattened_map(transform: str, expected: bool) -> None:
    assert turns_map(transform) is expected
