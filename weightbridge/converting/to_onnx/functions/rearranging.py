"""Operations that move elements and compute nothing: another shape, another order, several as one."""

from collections.abc import Mapping

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras, with_ones
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.functions.operands import setting, values_of
from weightbridge.converting.to_onnx.layers.merging import concatenated
from weightbridge.converting.to_onnx.layers.reductions import without
from weightbridge.converting.to_onnx.layers.views import permuted, to_shape
from weightbridge.converting.to_onnx.values import Value, straight


def _reshaped(call: Call) -> Value:
    shape = setting(call, "newshape", "shape")
    if not isinstance(shape, list | tuple) or not all(n is None or isinstance(n, int) for n in shape):
        raise call.refused("asks for a shape that is no list of numbers")
    batch = call.first.shape[0]
    if shape and shape[0] in (-1, None) and -1 not in shape[1:]:
        return to_shape(call, call.first, tuple(shape[1:]))
    if shape and batch is not None and shape[0] == batch:
        return to_shape(call, call.first, tuple(shape[1:]))
    raise call.refused("moves the axis of the batch")


def _transposed(call: Call) -> Value:
    axes = setting(call, "axes", "perm")
    axes = tuple(range(call.first.rank))[::-1] if axes is None else tuple(int(a) for a in axes)
    axes = tuple(axis % call.first.rank for axis in axes)
    if axes[0] == 0:
        return permuted(call.first, axes[1:])
    value = as_keras(call.writer, call.first)
    shape = tuple(value.shape[axis] for axis in axes)
    return Value(call.writer.op("Transpose", value.name, perm=axes), shape, straight(value.rank), value.dtype)


def _expanded(call: Call) -> Value:
    axes = [int(a) for a in np.atleast_1d(setting(call, "axis"))]
    places = sorted(a % (call.first.rank + len(axes)) for a in axes)
    return with_ones(call.writer, call.first, places)


def _squeezed(call: Call) -> Value:
    value, axis = as_keras(call.writer, call.first), setting(call, "axis", default=None)
    told = [n for n in range(1, value.rank) if value.shape[n] == 1] if axis is None else np.atleast_1d(axis)
    axes = [int(a) % value.rank for a in told]
    return without(value, call.writer.squeezed(value.name, axes), set(axes))


def _concatenated(call: Call) -> Value:
    return concatenated(call.writer, values_of(call), int(setting(call, "axis", default=-1)))


def _stacked(call: Call) -> Value:
    values = [as_keras(call.writer, value) for value in values_of(call)]
    rank = values[0].rank + 1
    axis = int(setting(call, "axis", default=0)) % rank
    places = call.writer.integers("axes", [axis])
    parts = [call.writer.op("Unsqueeze", value.name, places) for value in values]
    shape = list(values[0].shape)
    shape.insert(axis, len(values))
    return Value(call.writer.op("Concat", *parts, axis=axis), tuple(shape), straight(rank), values[0].dtype)


REARRANGING: Mapping[str, Builder] = {
    "Reshape": _reshaped,
    "Transpose": _transposed,
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    "Concatenate": _concatenated,
    "Stack": _stacked,
}
