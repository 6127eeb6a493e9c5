"""Nodes that compute element by element, and numbers that are spread along axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.arrange import arranged, as_keras
from weightbridge.converting.to_onnx.values import Order, Value, straight
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.model.tensors import Tensor


def unary(writer: Writer, op: str, value: Value, **attributes: Any) -> Value:
    return value.named(writer.op(op, value.name, **attributes))


def with_number(writer: Writer, op: str, value: Value, number: float, hint: str) -> Value:
    """A node that reads one number too."""
    return value.named(writer.op(op, value.name, writer.constant(hint, number, value.dtype)))


def clipped(writer: Writer, value: Value, low: float | None, high: float | None) -> Value:
    names = [
        "" if limit is None else writer.constant(hint, limit, value.dtype)
        for hint, limit in (("min", low), ("max", high))
    ]
    return value.named(writer.op("Clip", value.name, *names))


def as_floats(writer: Writer, value: Value, dtype: str = "float32") -> Value:
    return cast(writer, value, dtype) if value.dtype != dtype else value


def cast(writer: Writer, value: Value, dtype: str) -> Value:
    from_numbers = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11, "float16": 10}
    return value.named(writer.op("Cast", value.name, to=from_numbers[dtype]), dtype=dtype)


def binary(writer: Writer, op: str, first: Value, second: Value) -> Value:
    """Both in one order; shapes are spread as numpy does it."""
    first, second = aligned(writer, (first, second))
    shape = spread((first.shape, second.shape))
    name = writer.op(op, first.name, second.name)
    return Value(name, shape, first.order, first.dtype, first.mask)


def aligned(writer: Writer, values: Sequence[Value]) -> tuple[Value, ...]:
    """Values of one rank in one order, of several ranks as Keras has them, and single numbers as they are."""
    ranks = {value.rank for value in values}
    order = common_order(values) if len(ranks) == 1 else None
    if order is None:
        return tuple(as_keras(writer, value) for value in values)
    return tuple(arranged(writer, value, order) for value in values)


def common_order(values: Sequence[Value]) -> Order:
    """The order that most of them have; where as many have Keras's, the other one."""
    orders = [value.order for value in values]
    own = straight(values[0].rank)
    return max(dict.fromkeys(orders), key=lambda order: (order != own, orders.count(order)))


def spread(shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(_longest(lengths) for lengths in zip(*padded, strict=True))


def _longest(lengths: Sequence[int | None]) -> int | None:
    return next((length for length in lengths if length != 1), 1)


def along(writer: Writer, tensor: Tensor, value: Value, axes: Sequence[int]) -> str:
    """A weight with one number for each place along some of a value's axes, as it is spread over the value.

    axes: which of Keras's axes those of the tensor are.
    """
    named = {value.place(axis): (f"a{n}", tensor.shape[n]) for n, axis in enumerate(axes)}
    target = [named.get(place, ("1", 1)) for place in range(min(named, default=value.rank), value.rank)]
    shape = tuple(length for _, length in target)
    names, wanted = [name for name, _ in named.values()], [name for name, _ in target]
    pattern = "" if names == wanted else f"{' '.join(names)} -> {' '.join(wanted)}"
    return writer.weight(tensor, shape, pattern)


def numbers_along(writer: Writer, hint: str, numbers: Any, value: Value, dtype: str = "float32") -> str:
    """Numbers of a configuration, spread over the value as numpy does it."""
    array = np.asarray(numbers, dtype)
    if array.size == 1:
        return writer.constant(hint, array.reshape(()), dtype)
    padded = array.reshape((1,) * (value.rank - array.ndim) + array.shape)
    return writer.constant(hint, padded.transpose(value.order), dtype)
