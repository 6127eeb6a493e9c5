"""Kernels that an exporter left as Keras keeps them, and turned in the graph.

Keras on torch without folding of constants.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import numbers, write_weights
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.formats.onnx.values.stored_axes import stored_axes
from weightbridge.formats.onnx.values.views import View
from weightbridge.transforms import apply

TURN: Op = ("Transpose", ["seen"], ["k"], {"perm": [3, 2, 0, 1]})


@pytest.mark.parametrize(
    ("stored", "between", "expected"),
    [
        pytest.param((3, 3, 8, 2), (3, 3, 1, 16), "h w c m", id="two axes"),
        pytest.param((3, 3, 16, 1), (3, 3, 1, 16), "h w (c m) 1", id="one is of length one"),
        pytest.param((3, 3, 4, 4), (3, 3, 1, 15), "", id="another number of elements"),
        pytest.param((9, 16), (3, 3, 1, 16), "", id="space in one axis"),
    ],
)
def test_an_axis_of_two_names_was_two_axes(
    stored: tuple[int, ...], between: tuple[int, ...], expected: str
) -> None:
    views = (
        View("Reshape", between, between),
        View("Transpose", (3, 2, 0, 1), tuple(between[i] for i in (3, 2, 0, 1))),
    )
    assert stored_axes("(c m) 1 h w", views, stored) == expected


def _source(folder: Path, kernel: np.ndarray, seen: tuple[int, ...], **attributes: Any) -> Path:
    ops: list[Op] = [
        ("Reshape", ["stored", "shape"], ["seen"], {}),
        TURN,
        ("Conv", ["x", "k"], ["y"], attributes),
    ]
    channels = seen[2] * attributes.get("group", 1)
    return saved(
        folder / "s.onnx", ops, {"stored": kernel, "shape": np.array(seen)}, {"x": [1, channels, 8, 8]}, ["y"]
    )


@pytest.mark.parametrize(
    ("stored", "seen", "groups", "class_name"),
    [
        pytest.param((3, 3, 8, 2), (3, 3, 1, 16), 8, "depthwise_conv2d", id="depthwise with a multiplier"),
        pytest.param((3, 3, 8, 1), (3, 3, 1, 8), 8, "depthwise_conv2d", id="depthwise"),
        pytest.param((1, 1, 6, 6), (1, 1, 6, 6), 1, "conv2d", id="pointwise"),
    ],
)
def test_a_kernel_as_keras_keeps_it_is_copied(
    tmp_path: Path, stored: tuple[int, ...], seen: tuple[int, ...], groups: int, class_name: str
) -> None:
    source = _source(tmp_path, values(stored), seen, group=groups)
    target = write_weights(tmp_path / "t.weights.h5", {f"layers/{class_name}": ("u1", [numbers(*stored)])})
    (step,) = wb.plan(source, target).steps
    assert step.sources == ("stored",)
    np.testing.assert_array_equal(apply(step.transform, step.parameters, [values(stored)]), values(stored))


SHIFT: Op = ("Add", ["turned", "b"], ["y"], {})


@pytest.mark.parametrize(
    ("between", "is_bias"),
    [
        pytest.param(("Slice", ["c", "one", "nine", "two"]), True, id="cut in space"),
        pytest.param(("Slice", ["c", "one", "nine", "first"]), False, id="channels cut"),
        pytest.param(("Pad", ["c", "pads"]), True, id="zeros around"),
        pytest.param(("Pad", ["c", "pads", "seven"]), False, id="sevens around"),
    ],
)
def test_what_leaves_channels_alone_may_stand_before_a_bias(
    tmp_path: Path, between: tuple[str, list[str]], is_bias: bool
) -> None:
    op, inputs = between
    tensors = {
        "k": values((3, 6, 4, 4)),
        "b": values((6,) if is_bias or op == "Pad" else (5,)),
        "one": np.array([1]),
        "nine": np.array([9]),
    }
    tensors |= {
        "two": np.array([2]),
        "first": np.array([1]),
        "pads": np.array([0, 0, 1, 0, 0, 0, 1, 0]),
        "seven": np.float32(7),
    }
    ops: list[Op] = [
        ("ConvTranspose", ["x", "k"], ["c"], {}),
        (op, inputs, ["s"], {}),
        ("Transpose", ["s"], ["turned"], {"perm": [0, 2, 3, 1]}),
    ]
    graph = formats.read(saved(tmp_path / "m.onnx", [*ops, SHIFT], tensors, {"x": [1, 3, 8, 8]}, ["y"]))
    assert (graph.owner["b"].op == "ConvTranspose") is is_bias


def test_the_type_of_a_number_is_no_data(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("CastLike", ["half", "x"], ["h"], {}),
        ("Sqrt", ["h"], ["s"], {}),
        ("Mul", ["x", "s"], ["y"], {}),
    ]
    graph = formats.read(saved(tmp_path / "m.onnx", ops, {"half": np.float32(0.25)}, {"x": [1, 4]}, ["y"]))
    assert [(x.op, x.attributes.get("scale")) for x in graph.layers][1:] == [("Rescaling", 0.5)]


@pytest.mark.parametrize(
    ("kept", "is_told"),
    [pytest.param((5, 4), True, id="one axis less"), pytest.param((4, 5), False, id="turned")],
)
def test_a_table_that_is_added_may_have_an_axis_for_the_batch(
    tmp_path: Path, kept: tuple[int, ...], is_told: bool
) -> None:
    source = saved(
        tmp_path / "m.onnx",
        [("Add", ["x", "p"], ["y"], {})],
        {"p": values((1, 5, 4))},
        {"x": [1, 5, 4]},
        ["y"],
    )
    target = write_weights(tmp_path / "t.weights.h5", {"layers/places": ("u1", [numbers(*kept)])})
    (step,) = wb.plan(source, target).steps
    assert (step.sources == ("p",)) is is_told


def test_a_bias_behind_a_value_whose_shape_is_read(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("ConvTranspose", ["x", "k"], ["c"], {}),
        ("Shape", ["c"], ["shape"], {}),
        ("Slice", ["c", "one", "shape"], ["s"], {}),
        ("Transpose", ["s"], ["turned"], {"perm": [0, 2, 3, 1]}),
        SHIFT,
    ]
    tensors = {"k": values((3, 6, 4, 4)), "b": values((6,)), "one": np.array([0, 0, 1, 1])}
    graph = formats.read(saved(tmp_path / "m.onnx", ops, tensors, {"x": [1, 3, 8, 8]}, ["y"]))
    assert graph.owner["b"].op == "ConvTranspose"
