"""Normalisation: by stored statistics, by those of the input, and of the input's scale."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.arrange import arranged
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import (
    along,
    as_floats,
    binary,
    numbers_along,
    unary,
    with_number,
)
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Order, Value, channels_first
from weightbridge.model.tensors import Tensor

SMALLEST_DEVIATION = 1e-7  # keras.backend.epsilon(), which Normalization divides by at least
LAYER_NORM_OPSET = 17


def axes_of(call: Call, rank: int) -> tuple[int, ...]:
    axis = call.settings.get("axis", -1)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(int(a) % rank for a in axes))


def _batch_norm(call: Call) -> Value:
    """ONNX's node wants channels on its second axis."""
    value, mean = as_floats(call.writer, call.first), call.tensor("moving_mean")
    axes = axes_of(call, value.rank)
    if len(axes) > 1:
        raise call.refused("has several axes")
    if value.rank > 1 and value.order[1] != axes[0]:
        value = arranged(call.writer, value, _second(axes[0], value.rank))
    names = [_or_constant(call, "gamma", 1.0, mean), _or_constant(call, "beta", 0.0, mean)]
    names += [
        call.writer.weight(call.tensor(role), mean.shape) for role in ("moving_mean", "moving_variance")
    ]
    settings = call.settings
    attributes = {"epsilon": float(settings["epsilon"]), "momentum": float(settings["momentum"])}
    return value.named(call.writer.op("BatchNormalization", value.name, *names, **attributes))


def _second(axis: int, rank: int) -> Order:
    if axis == rank - 1:
        return channels_first(rank)
    return (0, axis, *(n for n in range(1, rank) if n != axis))


def _or_constant(call: Call, role: str, number: float, like: Tensor) -> str:
    tensor = call.optional(role)
    if tensor is not None:
        return call.writer.weight(tensor, tensor.shape)
    return call.writer.constant(role, np.full(like.shape, number))


def _layer_norm(call: Call) -> Value:
    if call.settings.get("rms_scaling"):
        raise call.refused("has rms_scaling")
    value = as_floats(call.writer, call.first)
    axes = axes_of(call, value.rank)
    last = tuple(range(value.rank - len(axes), value.rank))
    gamma = call.optional("gamma")
    if (
        axes != last
        or value.order[axes[0] :] != last
        or call.writer.opset < LAYER_NORM_OPSET
        or gamma is None
    ):
        return _affine(call, _standardised(call, value, axes), axes)
    names = [call.writer.weight(t, t.shape) for t in (gamma, call.optional("beta")) if t is not None]
    attributes = {"axis": axes[0], "epsilon": float(call.settings["epsilon"])}
    return value.named(call.writer.op("LayerNormalization", value.name, *names, **attributes))


def _standardised(call: Call, value: Value, axes: Sequence[int]) -> Value:
    """(x - mean) / sqrt(variance + epsilon)"""
    writer = call.writer
    mean = reduced(writer, "ReduceMean", value, axes, keepdims=True)
    centred = binary(writer, "Sub", value, mean)
    square = binary(writer, "Mul", centred, centred)
    return binary(writer, "Div", centred, _root(call, square, axes))


def _root(call: Call, square: Value, axes: Sequence[int]) -> Value:
    """sqrt(mean + epsilon)"""
    variance = reduced(call.writer, "ReduceMean", square, axes, keepdims=True)
    variance = with_number(call.writer, "Add", variance, float(call.settings["epsilon"]), "epsilon")
    return unary(call.writer, "Sqrt", variance)


def _affine(call: Call, value: Value, axes: Sequence[int]) -> Value:
    for role, op in (("gamma", "Mul"), ("beta", "Add")):
        tensor = call.optional(role)
        if tensor is not None:
            value = value.named(call.writer.op(op, value.name, along(call.writer, tensor, value, axes)))
    return value


def _rms_norm(call: Call) -> Value:
    value = as_floats(call.writer, call.first)
    axes = axes_of(call, value.rank)
    square = binary(call.writer, "Mul", value, value)
    return _affine(call, binary(call.writer, "Div", value, _root(call, square, axes)), axes)


def _group_norm(call: Call) -> Value:
    """Groups as the channels of an InstanceNormalization over all that is in them."""
    value = as_floats(call.writer, call.first)
    axes = axes_of(call, value.rank)
    value = arranged(call.writer, value, _second(axes[0], value.rank))
    channels = value.shape[axes[0]]
    groups = int(call.settings["groups"])
    groups = channels if groups == -1 and channels is not None else groups
    writer = call.writer
    shape = writer.op("Shape", value.name)
    name = writer.op("Reshape", value.name, writer.integers("groups", [0, groups, -1]))
    numbers = [writer.constant(hint, np.full(groups, n)) for hint, n in (("scale", 1.0), ("shift", 0.0))]
    epsilon = float(call.settings["epsilon"])
    name = writer.op("InstanceNormalization", name, *numbers, epsilon=epsilon)
    return _affine(call, value.named(writer.op("Reshape", name, shape)), axes)


def _unit_norm(call: Call) -> Value:
    """x / max(|x|, 1e-6), as Keras computes it by the square: x rsqrt(max(|x|^2, 1e-12))"""
    value = as_floats(call.writer, call.first)
    axes = [axis % value.rank for axis in np.atleast_1d(call.config.get("axis", -1)).tolist()]
    square = reduced(call.writer, "ReduceSum", binary(call.writer, "Mul", value, value), axes, keepdims=True)
    limit = call.writer.constant("smallest", 1e-12)
    square = square.named(call.writer.op("Max", square.name, limit))
    return binary(call.writer, "Div", value, unary(call.writer, "Sqrt", square))


def _rescaling(call: Call) -> Value:
    value = as_floats(call.writer, call.first)
    for hint, op, idle in (("scale", "Mul", 1.0), ("offset", "Add", 0.0)):
        numbers = np.asarray(call.settings.get(hint, idle), np.float64)
        if numbers.size != 1 or float(numbers.reshape(())) != idle:
            value = value.named(
                call.writer.op(op, value.name, numbers_along(call.writer, hint, numbers, value))
            )
    return value


def _normalization(call: Call) -> Value:
    """(x - mean) / max(sqrt(variance), 1e-7)"""
    value = as_floats(call.writer, call.first)
    mean, deviation = _statistic(call, value, "mean"), _deviation(call, value)
    steps = (
        (("Mul", deviation), ("Add", mean))
        if call.config.get("invert")
        else (("Sub", mean), ("Div", deviation))
    )
    for op, name in steps:
        value = value.named(call.writer.op(op, value.name, name))
    return value


def _deviation(call: Call, value: Value) -> str:
    root = call.writer.op("Sqrt", _statistic(call, value, "variance"))
    return call.writer.op("Max", root, call.writer.constant("smallest", SMALLEST_DEVIATION))


def _statistic(call: Call, value: Value, role: str) -> str:
    """A weight, or numbers of the configuration."""
    axes = _kept_axes(call, value.rank)
    tensor, told = call.optional(role), call.config.get(role)
    if tensor is not None and len(axes) == len(tensor.shape):
        return along(call.writer, tensor, value, axes)
    if tensor is not None or told is None:
        raise call.refused(f"has no {role} in the file that goes with the axes {axes}")
    numbers = np.asarray(told, np.float32)
    if numbers.size > 1:
        lengths: list[Any] = [value.shape[n] if n in axes else 1 for n in range(value.rank)]
        numbers = numbers.reshape(lengths)
    return numbers_along(call.writer, role, numbers, value)


def _kept_axes(call: Call, rank: int) -> list[int]:
    axis = call.config.get("axis", -1)
    return [] if axis is None else [int(a) % rank for a in np.atleast_1d(axis)]


BUILDERS: Mapping[str, Builder] = {
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "RMSNorm": _rms_norm,
    "Rescaling": _rescaling,
    "Normalization": _normalization,
}
CLASSES: Mapping[str, Builder] = {"UnitNormalization": _unit_norm}
