"""Axes moved and merged: at most one Transpose for each value and each order that is asked for."""

from collections.abc import Sequence

from weightbridge.converting.to_onnx.values import Order, Value, channels_first, straight
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.model.graph import Shape


def arranged(writer: Writer, value: Value, order: Order) -> Value:
    """The value with its axes in this order."""
    if value.order == order:
        return value
    known = writer.arranged.setdefault(value.name, {})
    if order not in known:
        known[order] = value.named(_moved(writer, value, order), order=order)
    return known[order].named(known[order].name, mask=value.mask)


def as_keras(writer: Writer, value: Value) -> Value:
    """With the axes as Keras has them."""
    return arranged(writer, value, straight(value.rank))


def spatial(writer: Writer, value: Value, data_format: str) -> Value:
    """Channels before space, as ONNX's convolutions and pools want them."""
    is_first = data_format == "channels_first"
    return arranged(writer, value, straight(value.rank) if is_first else channels_first(value.rank))


def is_same_sequence(value: Value, order: Order) -> bool:
    """Whether another order of the axes leaves every element where it is: only axes of length 1 move."""
    return _long_axes(value, value.order) == _long_axes(value, order)


def reshaped(writer: Writer, value: Value, shape: Shape, order: Order | None = None) -> Value:
    """The elements as Keras has them, in another shape; as they are where `order` says how they come to lie.

    shape: None for the lengths that are those of the same axis of the value, else for one unknown one.
    """
    source = value if is_same_sequence(value, straight(value.rank)) else as_keras(writer, value)
    order = straight(len(shape)) if order is None else order
    lengths = tuple(shape[axis] for axis in order)
    name = reshape(writer, source.name, source.lengths, lengths)
    return Value(name, shape, order, value.dtype)


def reshape(writer: Writer, name: str, fed: Shape, lengths: Shape) -> str:
    """A Reshape; unknown lengths are one that follows from the others, and those of the same axis."""
    unknown = [axis for axis, length in enumerate(lengths) if length is None]
    asked = [length if length is not None else 0 for length in lengths]
    for axis in unknown:
        if axis >= len(fed) or fed[axis] is not None or (axis == unknown[-1] and len(unknown) == 1):
            asked[axis] = -1
    return writer.op("Reshape", name, writer.integers("shape", asked))


def transpose(writer: Writer, name: str, permutation: Sequence[int]) -> str:
    return writer.op("Transpose", name, perm=tuple(permutation))


def _moved(writer: Writer, value: Value, order: Order) -> str:
    lengths = tuple(value.shape[axis] for axis in order)
    if is_same_sequence(value, order) and sum(length is None for length in lengths) <= 1:
        return reshape(writer, value.name, value.lengths, lengths)
    return transpose(writer, value.name, [value.order.index(axis) for axis in order])


def _long_axes(value: Value, order: Order) -> list[int]:
    return [axis for axis in order if value.shape[axis] != 1]
