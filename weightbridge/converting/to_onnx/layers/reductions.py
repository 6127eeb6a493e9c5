"""Means, sums and maxima over axes."""

from collections.abc import Sequence, Set

from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer

SINCE_18 = frozenset(
    {"ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp"}
)


def reduced(writer: Writer, op: str, value: Value, axes: Sequence[int], *, keepdims: bool) -> Value:
    """axes: Keras's, all of them from 0 on."""
    places = sorted(value.place(axis) for axis in axes)
    if writer.opset < 18 and op in SINCE_18:
        name = writer.op(op, value.name, axes=tuple(places), keepdims=int(keepdims))
    else:
        name = writer.op(op, value.name, writer.integers("axes", places), keepdims=int(keepdims))
    positive = {axis % value.rank for axis in axes}
    return of_length_one(value, name, positive) if keepdims else without(value, name, positive)


def of_length_one(value: Value, name: str, axes: Set[int]) -> Value:
    shape = tuple(1 if axis in axes else length for axis, length in enumerate(value.shape))
    return value.named(name, shape=shape, mask=None)


def without(value: Value, name: str, axes: Set[int]) -> Value:
    kept = [axis for axis in range(value.rank) if axis not in axes]
    order = tuple(kept.index(axis) for axis in value.order if axis in kept)
    return Value(name, tuple(value.shape[axis] for axis in kept), order, value.dtype)
