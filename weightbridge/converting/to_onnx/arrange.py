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
    name = known[order].name
    return known[order].named(writer.renamed.get(name, name), mask=value.mask)


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


def in_place(writer: Writer, value: Value) -> Value:
    """The elements in Keras's sequence, batch first, if need be by a Transpose."""
    is_there = value.order[:1] == (0,) and is_same_sequence(value, straight(value.rank))
    return value if is_there else as_keras(writer, value)


def reshaped(writer: Writer, value: Value, shape: Shape, order: Order | None = None) -> Value:
    """The elements as Keras has them, in another shape; order: how they come to lie.

    shape: None for the batch, and for one length that follows from the others.
    """
    source = in_place(writer, value)
    order = straight(len(shape)) if order is None else order
    lengths = [shape[axis] for axis in order]
    asked = [-1 if length is None else length for length in lengths]
    if asked[0] == -1 and asked.count(-1) > 1:
        asked[0] = 0
    name = writer.op("Reshape", source.name, writer.integers("shape", asked))
    return Value(name, shape, order, value.dtype)


def with_ones(writer: Writer, value: Value, places: Sequence[int]) -> Value:
    """With axes of length 1 put in. places: of Keras's axes, as they are counted then, in order."""
    value, shape = as_keras(writer, value), list(value.shape)
    for place in places:
        shape.insert(place, 1)
    name = writer.unsqueezed(value.name, places)
    return Value(name, tuple(shape), straight(len(shape)), value.dtype)


def reshape(writer: Writer, name: str, lengths: Shape) -> str:
    """A Reshape with at most one unknown length."""
    asked = [-1 if length is None else length for length in lengths]
    return writer.op("Reshape", name, writer.integers("shape", asked))


def transpose(writer: Writer, name: str, permutation: Sequence[int]) -> str:
    return writer.op("Transpose", name, perm=tuple(permutation))


def _moved(writer: Writer, value: Value, order: Order) -> str:
    lengths = tuple(value.shape[axis] for axis in order)
    if is_same_sequence(value, order) and sum(length is None for length in lengths) <= 1:
        return reshape(writer, value.name, lengths)
    return transpose(writer, value.name, [value.order.index(axis) for axis in order])


def _long_axes(value: Value, order: Order) -> list[int]:
    return [axis for axis in order if value.shape[axis] != 1]
