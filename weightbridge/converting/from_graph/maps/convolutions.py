"""Convolutions: plain, and by channel."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.activations import fused_name
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.maps.borders import as_same, padded, slid
from weightbridge.converting.from_graph.source.kernels import flat, put
from weightbridge.converting.from_graph.source.own import made_here
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

SPACE = {1: "w", 2: "h w", 3: "d h w"}


def channels_last(call: Call, value: Value, rank: int) -> tuple[Value, tuple[int, ...]]:
    """The value with `rank` axes of space, then the channels, and which of the source's axes they are."""
    layout = value.layout
    is_last = call.settings.get("data_format") == "channels_last"
    channel = layout.rank - 1 if is_last else 1
    space = [axis for axis in range(1, layout.rank) if axis != channel]
    if len(space) > rank:
        space = [axis for axis in space if layout.source[axis]][-rank:] if rank else []
    if len(space) != rank:
        raise Unsupported(f"works on {rank} axes of space, and is fed {layout.rank} axes")
    order = (0, *space, channel)
    return arranged(call.writer, value, tuple(layout.source[axis] for axis in order), call.name), order


def windowed(
    value: Value, axes: Sequence[int], layer: str, call: int, lengths: Sequence[int | None]
) -> Value:
    """What a layer gives that makes these lengths of the axes, in the source's numbers for them."""
    shape = list(value.layout.source_shape)
    for axis, length in zip(axes, lengths, strict=True):
        shape[axis] = length
    return Value(layer, call, 0, plain(shape, axes), value.dtype)


def _conv(call: Call) -> Value:
    settings = call.settings
    rank = len(settings["kernel_size"])
    value, axes = channels_last(call, call.first, rank)
    filters, groups = int(settings["filters"]), int(settings["groups"])
    channels = channels_of(value)
    if _is_dense(call):
        return _by_dense(call, value, axes)
    value, padding = _bordered(call, value, axes)
    config = {"filters": filters, "groups": groups, **_window(call, padding)}
    name, number = call.keras(f"Conv{rank}D", config, value)
    space = SPACE[rank]
    shape = (*settings["kernel_size"], channels // groups, filters)
    put(call, name, call.needed("kernel"), (f"{space} i o", shape))
    put_bias(call, name, filters)
    return windowed(value, axes, name, number, _lengths(value, call, padding, filters))


def _is_dense(call: Call) -> bool:
    """Whether the own writer says a Dense layer so, where channels come first: without a window."""
    is_point = set(call.settings["kernel_size"]) == {1} and call.settings["groups"] == 1
    return is_point and call.settings.get("has_window") is False and made_here(call.source)


def _by_dense(call: Call, value: Value, axes: Sequence[int]) -> Value:
    units, channels = int(call.settings["filters"]), channels_of(value)
    config = {"units": units, "use_bias": call.tensor("bias") is not None, **fused_name(call)}
    name, number = call.keras("Dense", config, value)
    kernel = call.needed("kernel")
    ones = " ".join("1" for _ in call.settings["kernel_size"])
    call.weight(name, "kernel", (channels, units), kernel, f"o i {ones} -> i o", {"o": units, "i": channels})
    put_bias(call, name, units)
    return windowed(value, axes, name, number, [None, *space_of(value), units])


def _depthwise(call: Call) -> Value:
    settings = call.settings
    rank, many = len(settings["kernel_size"]), int(settings["depth_multiplier"])
    value, axes = channels_last(call, call.first, rank)
    channels = channels_of(value)
    value, padding = _bordered(call, value, axes)
    if rank > 2:
        return _in_groups(call, value, axes, padding)
    config = {"depth_multiplier": many, **_window(call, padding)}
    name, number = call.keras(f"DepthwiseConv{rank}D", config, value)
    shape = (*settings["kernel_size"], channels, many)
    put(call, name, call.needed("kernel"), (f"{SPACE[rank]} c m", shape), {"c": channels, "m": many})
    put_bias(call, name, channels * many)
    return windowed(value, axes, name, number, _lengths(value, call, padding, channels * many))


def _separable(call: Call) -> Value:
    settings = call.settings
    rank, many = len(settings["kernel_size"]), int(settings["depth_multiplier"])
    value, axes = channels_last(call, call.first, rank)
    channels, filters = channels_of(value), int(settings["filters"])
    value, padding = _bordered(call, value, axes)
    config = {"filters": filters, "depth_multiplier": many, **_window(call, padding)}
    name, number = call.keras(f"SeparableConv{rank}D", config, value)
    space, shape = SPACE[rank], (*settings["kernel_size"], channels, many)
    by_channel, pointwise = call.needed("depthwise_kernel"), call.needed("pointwise_kernel")
    put(call, name, by_channel, (f"{space} c m", shape), {"c": channels, "m": many})
    put(call, name, pointwise, (f"{space} i o", (*(1 for _ in range(rank)), channels * many, filters)))
    put_bias(call, name, filters)
    return windowed(value, axes, name, number, _lengths(value, call, padding, filters))


def _in_groups(call: Call, value: Value, axes: Sequence[int], padding: str) -> Value:
    """By channel over three axes: Keras has groups of one channel."""
    channels = channels_of(value)
    filters = channels * int(call.settings["depth_multiplier"])
    config = {"filters": filters, "groups": channels, **_window(call, padding)}
    name, number = call.keras("Conv3D", config, value)
    space, shape = SPACE[3], (*call.settings["kernel_size"], 1, filters)
    kernel = replace(call.needed("kernel"), axes=f"o i {space}")
    put(call, name, kernel, (f"{space} i o", shape))
    put_bias(call, name, filters)
    return windowed(value, axes, name, number, _lengths(value, call, padding, filters))


def channels_of(value: Value) -> int:
    channels = value.layout.shape[-1]
    if channels is None:
        raise Unsupported("is fed a number of channels that is not known")
    return channels


def _bordered(call: Call, value: Value, axes: Sequence[int]) -> tuple[Value, str]:
    """Keras's padding, with zeros put around the value where it has none like it."""
    settings = call.settings
    window = (settings["kernel_size"], settings["strides"], settings["dilation"])
    name = as_same(settings["padding"], space_of(value), *window)
    if name is not None:
        return value, name
    return padded(call, value, axes, settings["padding"], f"{call.name}_pad"), "valid"


def space_of(value: Value) -> tuple[int | None, ...]:
    return value.layout.shape[1:-1]


def _window(call: Call, padding: str) -> dict[str, Any]:
    settings = call.settings
    return {
        "kernel_size": list(settings["kernel_size"]),
        "strides": list(settings["strides"]),
        "padding": padding,
        "dilation_rate": list(settings["dilation"]),
        "use_bias": call.tensor("bias") is not None,
        **fused_name(call),
    }


def _lengths(value: Value, call: Call, padding: str, channels: int) -> list[int | None]:
    settings = call.settings
    window = (settings["kernel_size"], settings["strides"], settings["dilation"])
    return [None, *slid(space_of(value), padding, *window), channels]


def put_bias(call: Call, layer: str, size: int) -> None:
    bias = call.tensor("bias")
    if bias is not None:
        transform, parameters = flat(bias)
        call.weight(layer, "bias", (size,), bias, transform, parameters)


BUILDERS: Mapping[str, Builder] = {
    "Conv": _conv,
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
}
