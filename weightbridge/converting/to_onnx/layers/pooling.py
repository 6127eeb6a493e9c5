"""Pools, borders, and resizing: what changes the lengths of spatial axes."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.to_onnx.arrange import as_keras, reshape, spatial
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats
from weightbridge.converting.to_onnx.functions.slices import END, sliced
from weightbridge.converting.to_onnx.layers.convolutions import padding_attributes
from weightbridge.converting.to_onnx.layers.cubic import by_matrices, doubles, is_exact
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.sequences.masks import mask_of, masked_mean
from weightbridge.converting.to_onnx.values import Value, channels_first

INTERPOLATIONS: Mapping[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "bicubic": {
        "mode": "cubic",
        "coordinate_transformation_mode": "half_pixel",
        "cubic_coeff_a": -0.5,
        "exclude_outside": 1,
    },
}
OF_RESIZING = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}


def _pool(call: Call) -> Value:
    settings = call.settings
    value = spatial(call.writer, as_floats(call.writer, call.first), settings["data_format"])
    window = {
        "kernel_shape": settings["pool_size"],
        "strides": settings["strides"],
        **padding_attributes(settings["padding"]),
    }
    op = "MaxPool" if settings["kind"] == "max" else "AveragePool"
    name = call.writer.op(op, value.name, **window)
    return Value(name, call.known_shape(), value.order)


def _global_pool(call: Call) -> Value:
    """Where channels come first by the node for it, else as a mean or maximum over axes."""
    settings, value = call.settings, as_floats(call.writer, call.first)
    mask = mask_of(call) if settings["kind"] == "average" and value.rank == 3 else None
    if mask is not None:
        return masked_mean(call.writer, value, mask, keepdims=settings["keepdims"])
    axes, kind = _space(value, settings["data_format"]), settings["kind"]
    if value.order[:2] != channels_first(value.rank)[:2] or settings["data_format"] == "channels_first":
        op = "ReduceMax" if kind == "max" else "ReduceMean"
        return reduced(call.writer, op, value, axes, keepdims=settings["keepdims"])
    name = call.writer.op("GlobalMaxPool" if kind == "max" else "GlobalAveragePool", value.name)
    batch, *space, channels = value.shape
    if settings["keepdims"]:
        return Value(name, (batch, *(1 for _ in space), channels), value.order)
    return Value(call.writer.op("Flatten", name, axis=1), (batch, channels), (0, 1))


def _space(value: Value, data_format: str) -> tuple[int, ...]:
    return tuple(range(2, value.rank) if data_format == "channels_first" else range(1, value.rank - 1))


def _padded(call: Call) -> Value:
    """In whatever order the axes are."""
    value, pairs = call.first, _pairs(call)
    pads = [pairs.get(axis, (0, 0)) for axis in value.order]
    sides = [*(before for before, _ in pads), *(after for _, after in pads)]
    names = [value.name, call.writer.integers("pads", sides)]
    number = call.settings.get("value") or 0.0
    if number:
        names.append(call.writer.constant("value", number, value.dtype))
    return value.named(call.writer.op("Pad", *names), shape=call.known_shape())


def _cropped(call: Call) -> Value:
    if call.node.layer.class_name == "CenterCrop":
        return _centre(call)
    value, pairs = call.first, _pairs(call)
    axes = [value.place(axis) for axis in pairs]
    starts = [before for before, _ in pairs.values()]
    ends = [-after if after else END for _, after in pairs.values()]
    return value.named(sliced(call.writer, value.name, starts, ends, axes), shape=call.known_shape())


def _pairs(call: Call) -> dict[int, tuple[int, int]]:
    axes = _space(call.first, call.settings["data_format"])
    return dict(zip(axes, call.settings["padding"], strict=True))


def _centre(call: Call) -> Value:
    """Of images that are large enough: smaller ones are resized, where their lengths tell."""
    value, sizes = call.first, (int(call.config["height"]), int(call.config["width"]))
    axes = _space(value, str(call.config.get("data_format") or "channels_last"))
    cut_off = [int(value.shape[axis] or 0) - size for axis, size in zip(axes, sizes, strict=False)]
    if len(axes) != len(sizes) or min(cut_off) < 0:
        raise call.refused("resizes where an image is small")
    starts = [n // 2 for n in cut_off]
    ends = [start - n if n else END for n, start in zip(cut_off, starts, strict=True)]
    name = sliced(call.writer, value.name, starts, ends, [value.place(axis) for axis in axes])
    cut = dict(zip(axes, sizes, strict=True))
    shape = tuple(cut.get(n, length) for n, length in enumerate(value.shape))
    return value.named(name, shape=shape)


def _resized(call: Call) -> Value:
    settings = call.settings
    layout = settings.get("data_format") or "channels_last"
    how = str(settings.get("interpolation"))
    if how not in INTERPOLATIONS or settings.get("antialias"):
        raise call.refused(f"interpolates by {how}{' with antialias' * bool(settings.get('antialias'))}")
    if settings.get("crop_to_aspect_ratio") or settings.get("pad_to_aspect_ratio"):
        raise call.refused("keeps the aspect ratio")
    value = spatial(call.writer, as_floats(call.writer, call.first), layout)
    is_to_size = call.node.layer.class_name == "Resizing"
    return _to_size(call, value, how, layout) if is_to_size else _by_scale(call, value, how, layout)


def _to_size(call: Call, value: Value, how: str, layout: str) -> Value:
    size = call.settings["size"]
    attributes = {**INTERPOLATIONS[how], **(OF_RESIZING if how == "nearest" else {})}
    shape = tuple(_resized_shape(value, size, layout))
    if how == "bicubic" and not is_exact(value.shape, shape):
        return by_matrices(call, value, shape, _space(value, layout))
    sizes = _sizes(call, value, size)
    name = call.writer.op("Resize", value.name, "", "", sizes, **attributes)
    return Value(name, shape, value.order)


def _by_scale(call: Call, value: Value, how: str, layout: str) -> Value:
    scale = call.settings["scale"]
    if how == "bicubic" and not doubles(scale):
        return by_matrices(call, value, call.known_shape(), _space(value, layout))
    scales = call.writer.constant("scales", [1.0, 1.0, *map(float, scale)])
    name = call.writer.op("Resize", value.name, "", scales, **INTERPOLATIONS[how])
    return Value(name, call.known_shape(), value.order)


def _resized_shape(value: Value, size: Sequence[int], layout: str) -> list[int | None]:
    shape = list(value.shape)
    for axis, length in zip(_space(value, layout), size, strict=True):
        shape[axis] = int(length)
    return shape


def _sizes(call: Call, value: Value, size: Sequence[int]) -> str:
    """The lengths after resizing: of batch and channels as they are."""
    shape = call.writer.op("Shape", value.name)
    outer = sliced(call.writer, shape, [0], [2], [0])
    return call.writer.op("Concat", outer, call.writer.integers("size", size), axis=0)


def _repeated(call: Call) -> Value:
    """(batch, features) -> (batch, n, features)"""
    value, n = call.first, int(call.settings["n"])
    batch, width = value.shape
    name = reshape(call.writer, as_keras(call.writer, value).name, (batch, 1, width))
    name = call.writer.op("Tile", name, call.writer.integers("repeats", [1, n, 1]))
    return Value(name, (batch, n, width), (0, 1, 2), value.dtype)


BUILDERS: Mapping[str, Builder] = {
    "Pool": _pool,
    "GlobalPool": _global_pool,
    "Pad": _padded,
    "Crop": _cropped,
    "Resize": _resized,
    "Repeat": _repeated,
}
