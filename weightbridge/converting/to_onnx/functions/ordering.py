"""Operations of keras.ops that sort, pick along an axis, cut triangles or take remainders."""

from collections.abc import Mapping

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import cast
from weightbridge.converting.to_onnx.functions.operands import floats_of, operands, setting
from weightbridge.converting.to_onnx.values import Value, straight

TRIANGLE_OPSET = 14


def _largest(call: Call) -> tuple[Value, Value]:
    value, count = as_keras(call.writer, call.first), int(setting(call, "k"))
    return _ranked(call, value, value.rank - 1, count, descending=True)


def _sorted(output: int) -> Builder:
    """Values (0) or places (1), the least first, the first of two that are equal before the other."""

    def build(call: Call) -> Value:
        axis, value = setting(call, "axis", default=-1), as_keras(call.writer, call.first)
        if axis is None:
            raise call.refused("sorts all axes at once")
        place = int(axis) % value.rank
        length = value.shape[place]
        if length is None:
            raise call.refused("sorts an axis whose length is not known")
        return _ranked(call, value, place, length, descending=False)[output]

    return build


def _ranked(call: Call, value: Value, axis: int, count: int, *, descending: bool) -> tuple[Value, Value]:
    number = call.writer.integers("k", [count])
    settings = {"axis": axis, "largest": int(descending), "sorted": 1}
    values, ranks = call.writer.ops("TopK", (value.name, number), 2, **settings)
    shape = tuple(count if n == axis else length for n, length in enumerate(value.shape))
    places = cast(call.writer, Value(ranks, shape, straight(len(shape)), "int64"), "int32")
    return Value(values, shape, straight(len(shape)), value.dtype), places


def _picked(call: Call) -> Value:
    """The elements of the first at the places in the second, along an axis."""
    axis = setting(call, "axis", default=None)
    found = operands(call)
    if axis is None or len(found) != 2 or not all(isinstance(one, Value) for one in found):
        raise call.refused("picks from all axes at once, or at constant places")
    value, places = (as_keras(call.writer, one) for one in found)
    lengths = zip(value.shape, places.shape, strict=True) if value.rank == places.rank else ((1, 2),)
    if any(a != b for n, (a, b) in enumerate(lengths) if n != int(axis) % value.rank):
        raise call.refused("picks by places that are spread")
    name = call.writer.op("GatherElements", value.name, places.name, axis=int(axis) % value.rank)
    return Value(name, places.shape, straight(places.rank), value.dtype)


def _triangle(*, upper: bool) -> Builder:
    def build(call: Call) -> Value:
        value, k = as_keras(call.writer, call.first), int(setting(call, "k", default=0))
        if call.writer.opset < TRIANGLE_OPSET:
            return value.named(_by_places(call, value, k, upper=upper))
        diagonal = call.writer.constant("diagonal", k, "int64")
        return value.named(call.writer.op("Trilu", value.name, diagonal, upper=int(upper)))

    return build


def _by_places(call: Call, value: Value, k: int, *, upper: bool) -> str:
    """Zero at the places that are cut."""
    rows, columns = value.shape[-2:]
    if rows is None or columns is None:
        raise call.refused(
            f"cuts a triangle of lengths that are not known, which needs opset {TRIANGLE_OPSET}"
        )
    below = np.tri(rows, columns, k - 1 if upper else k, dtype=bool)
    kept = call.writer.constant("kept", ~below if upper else below, "bool")
    return call.writer.op("Where", kept, value.name, call.writer.constant("nothing", 0, value.dtype))


def _is_nan(call: Call) -> Value:
    value = floats_of(call)
    return value.named(call.writer.op("IsNaN", value.name), dtype="bool")


ORDERING: Mapping[str, Builder] = {
    "TopK": _largest,
    "Sort": _sorted(0),
    "Argsort": _sorted(1),
    "TakeAlongAxis": _picked,
    "Tril": _triangle(upper=False),
    "Triu": _triangle(upper=True),
    "Isnan": _is_nan,
}
