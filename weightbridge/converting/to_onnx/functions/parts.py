"""Operations that take parts of a value, put borders around it, or repeat it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.functions.operands import (
    axes_of,
    floats_of,
    keeps_axes,
    setting,
    values_of,
)
from weightbridge.converting.to_onnx.functions.slices import END, sliced
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.layers.views import permuted
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.model.graph import Shape

MODES = ("constant", "reflect", "edge")


def _moved(call: Call, order: Sequence[int]) -> Value:
    if order[0] != 0:
        raise call.refused("moves the axis of the batch")
    return permuted(call.first, tuple(order[1:]))


def _swapped(call: Call) -> Value:
    first, second = (int(setting(call, name)) % call.first.rank for name in ("axis1", "axis2"))
    order = list(range(call.first.rank))
    order[first], order[second] = order[second], order[first]
    return _moved(call, order)


def _axes_moved(call: Call) -> Value:
    rank = call.first.rank
    origins, places = (np.atleast_1d(setting(call, name)) % rank for name in ("source", "destination"))
    kept = [axis for axis in range(rank) if axis not in origins]
    for place, axis in sorted(zip(places.tolist(), origins.tolist(), strict=True)):
        kept.insert(place, axis)
    return _moved(call, kept)


def _rolled(call: Call) -> Value:
    shift, axis, value = setting(call, "shift"), setting(call, "axis", default=None), call.first
    if not isinstance(shift, int) or not isinstance(axis, int):
        raise call.refused("rolls along several axes, or all of them")
    length = value.shape[axis % value.rank]
    if length is None and shift < 0:
        raise call.refused("rolls backwards along an axis whose length is not known")
    shift, place = shift if length is None else shift % length, value.place(axis)
    if not shift:
        return value
    back = sliced(call.writer, value.name, [-shift], [END], [place])
    front = sliced(call.writer, value.name, [0], [-shift], [place])
    return value.named(call.writer.op("Concat", back, front, axis=place), mask=None)


def _taken(call: Call) -> Value:
    """Along one axis, by constant numbers or by another value."""
    axis = setting(call, "axis", default=None)
    if axis is None:
        raise call.refused("takes from all axes at once")
    value = as_keras(call.writer, values_of(call)[0] if len(call.inputs) > 1 else call.first)
    place = int(axis) % value.rank
    if len(call.inputs) > 1:
        indices = as_keras(call.writer, call.inputs[1])
        name, shape = indices.name, indices.shape
        if place == 0 or "int" not in indices.dtype:
            raise call.refused("takes rows of the batch, or by numbers that are not whole")
    else:
        array = np.asarray(setting(call, "indices"))
        name, shape = call.writer.constant("indices", array, "int64"), array.shape
    whole = (*value.shape[:place], *shape, *value.shape[place + 1 :])
    return Value(
        call.writer.op("Gather", value.name, name, axis=place), whole, straight(len(whole)), value.dtype
    )


def _parted(call: Call) -> tuple[Value, ...]:
    """Equal parts, or parts that begin at given places."""
    told = setting(call, "indices_or_sections", "num_or_size_splits")
    value, axis = call.first, int(setting(call, "axis", default=0)) % call.first.rank
    length, place = value.shape[axis], value.place(axis)
    if length is None or not isinstance(told, int | list | tuple):
        raise call.refused("parts an axis whose length is not known")
    starts = list(range(0, length, length // told)) if isinstance(told, int) else [0, *map(int, told)]
    parts = []
    for start, end in zip(starts, [*starts[1:], length], strict=True):
        name = sliced(call.writer, value.name, [start], [end], [place])
        shape = (*value.shape[:axis], end - start, *value.shape[axis + 1 :])
        parts.append(value.named(name, shape=shape, mask=None))
    return tuple(parts)


def _padded(call: Call) -> Value:
    mode, told = (
        str(setting(call, "mode", default="constant")).lower(),
        setting(call, "pad_width", "paddings"),
    )
    number, value = setting(call, "constant_values", default=None), call.first
    if mode not in MODES or isinstance(number, list | tuple):
        raise call.refused(f"pads in the mode {mode}, which ONNX does not know")
    pairs = _pairs(told, value.rank)
    before, after = ([pairs[axis][end] for axis in value.order] for end in (0, 1))
    names = [value.name, call.writer.integers("pads", [*before, *after])]
    if mode == "constant":
        names.append(call.writer.constant("border", 0 if number is None else number, value.dtype))
    return value.named(call.writer.op("Pad", *names, mode=mode), shape=_longer(value.shape, pairs), mask=None)


def _longer(shape: Shape, pairs: Sequence[tuple[int, int]]) -> Shape:
    lengths = zip(shape, pairs, strict=True)
    return tuple(None if length is None else length + sum(pair) for length, pair in lengths)


def _pairs(told: Any, rank: int) -> list[tuple[int, int]]:
    """As numpy takes them: a number, a pair, or a pair for each axis."""
    pairs = np.broadcast_to(np.asarray(told, int), (rank, 2))
    return [(int(before), int(after)) for before, after in pairs]


def _repeated(call: Call) -> Value:
    """Every element along an axis several times in a row."""
    times, axis = setting(call, "repeats"), setting(call, "axis", default=None)
    if not isinstance(times, int) or axis is None:
        raise call.refused("repeats by several numbers, or along all axes at once")
    value = as_keras(call.writer, call.first)
    place = int(axis) % value.rank
    length = value.shape[place]
    if length is None:
        raise call.refused("repeats an axis whose length is not known")
    rows = call.writer.integers("rows", np.repeat(np.arange(length), times).tolist())
    shape = (*value.shape[:place], length * times, *value.shape[place + 1 :])
    return value.named(call.writer.op("Gather", value.name, rows, axis=place), shape=shape, mask=None)


def _tiled(call: Call) -> Value:
    value = as_keras(call.writer, call.first)
    told = [int(n) for n in np.atleast_1d(setting(call, "repeats", "multiples"))]
    if len(told) > value.rank:
        raise call.refused("has more axes behind it than before")
    times = [1] * (value.rank - len(told)) + told
    shape = tuple(None if n is None else n * k for n, k in zip(value.shape, times, strict=True))
    name = call.writer.op("Tile", value.name, call.writer.integers("repeats", times))
    return value.named(name, shape=shape, mask=None)


def _length(call: Call) -> Value:
    """The norm of the first or the second order along one axis."""
    order, axis = setting(call, "ord", default=None), setting(call, "axis", default=None)
    if order not in (None, 1, 2, "fro") or not isinstance(axis, int):
        raise call.refused("is a norm that ONNX does not know")
    op = "ReduceL1" if order == 1 else "ReduceL2"
    return reduced(call.writer, op, floats_of(call), axes_of(call), keepdims=keeps_axes(call))


PARTS: Mapping[str, Builder] = {
    "Swapaxes": _swapped,
    "Moveaxis": _axes_moved,
    "Roll": _rolled,
    "Take": _taken,
    "Split": _parted,
    "Pad": _padded,
    "Repeat": _repeated,
    "Tile": _tiled,
    "Norm": _length,
}
