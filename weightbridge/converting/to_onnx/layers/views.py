"""Layers that hand values on, or change nothing but their axes."""

from collections.abc import Mapping
from math import prod

from weightbridge.converting.to_onnx.arrange import as_keras, in_place, reshaped
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats, binary, cast, with_number
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Order, Value, channels_first, straight
from weightbridge.model.graph import Shape


def _passed(call: Call) -> Value:
    return call.first


def _disturbed(call: Call) -> Value:
    """What acts in training alone; a RandomCrop makes images smaller in inference too."""
    size = (call.config.get("height"), call.config.get("width"))
    if call.node.layer.class_name == "RandomCrop" and call.first.shape[1:3] != size:
        raise call.refused("makes the images smaller")
    return call.first


def _flattened(call: Call) -> Value:
    value = call.first
    if call.settings.get("data_format") == "channels_first" and value.rank > 2:
        value = permuted(value, (*range(2, value.rank), 1))
    value = in_place(call.writer, value)
    known = [length for length in value.shape[1:] if length is not None]
    size = prod(known) if len(known) == value.rank - 1 else None
    if value.rank == 1:
        name = call.writer.unsqueezed(value.name, [1])
    else:
        name = call.writer.op("Flatten", value.name, axis=1)
    return Value(name, (value.shape[0], size), (0, 1), value.dtype)


def _reshaped(call: Call) -> Value:
    target = call.settings.get("shape")
    if not isinstance(target, tuple):
        raise call.refused("does not say its shape")
    return to_shape(call, call.first, target)


def to_shape(call: Call, value: Value, target: tuple[int | None, ...]) -> Value:
    """target: without the batch; -1 for what follows."""
    batch, told = value.shape[0], [None if n in (-1, None) else int(n) for n in target]
    known = [length for length in value.shape[1:] if length is not None]
    if len(known) == value.rank - 1 and told.count(None) == 1:
        others = prod(n for n in told if n is not None)
        told[told.index(None)] = prod(known) // max(others, 1)
    shape = (batch, *told)
    return reshaped(call.writer, value, shape, _order_of(shape))


def _order_of(shape: Shape) -> Order:
    """An image of one pixel may as well have its channels first."""
    is_pixel = len(shape) == 4 and shape[1:3] == (1, 1)
    return channels_first(4) if is_pixel else straight(len(shape))


def _transposed(call: Call) -> Value:
    order = call.settings.get("order")
    if not isinstance(order, tuple) or sorted(order) != list(range(1, call.first.rank)):
        raise call.refused("does not say its axes")
    return permuted(call.first, order)


def permuted(value: Value, order: tuple[int, ...]) -> Value:
    """Nothing moves yet: only what Keras calls the axes. order: without the batch, from 1."""
    axes = (0, *order)
    shape = tuple(value.shape[axis] for axis in axes)
    return value.named(
        value.name, shape=shape, order=tuple(axes.index(axis) for axis in value.order), mask=None
    )


def _cast(call: Call) -> Value:
    dtype = str(call.settings.get("dtype") or "float32")
    return call.first if dtype == call.first.dtype else cast(call.writer, call.first, dtype)


def _masking(call: Call) -> Value:
    """Steps of which any feature is another number count; the others become zeros."""
    writer, value = call.writer, as_keras(call.writer, as_floats(call.writer, call.first))
    equal = with_number(writer, "Equal", value, float(call.settings.get("mask_value", 0.0)), "mask_value")
    other = cast(writer, equal.named(writer.op("Not", equal.name), dtype="bool"), "float32")
    counts = reduced(writer, "ReduceMax", other, [value.rank - 1], keepdims=True)
    masked = binary(writer, "Mul", value, counts)
    steps = writer.squeezed(counts.name, [value.rank - 1])
    mask = Value(steps, value.shape[:-1], straight(value.rank - 1))
    return masked.named(masked.name, mask=cast(writer, mask, "bool"))


BUILDERS: Mapping[str, Builder] = {
    "Identity": _passed,
    "Dropout": _passed,
    "Noise": _disturbed,
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Permute": _transposed,
    "Cast": _cast,
    "Masking": _masking,
}
CLASSES: Mapping[str, Builder] = {"SpectralNormalization": _passed}  # it divides the kernel in training
