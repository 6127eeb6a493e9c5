"""Convolutions: plain, by channel, transposed."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.activations import fused_name
from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.borders import Pairs, amounts, as_same, padded, slid
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.kernels import flat, put
from weightbridge.converting.from_graph.layout import plain
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
    channels = _channels(value)
    value, padding = _bordered(call, value, axes)
    config = {"filters": filters, "groups": groups, **_window(call, padding)}
    name, number = call.keras(f"Conv{rank}D", config, value)
    space = SPACE[rank]
    shape = (*settings["kernel_size"], channels // groups, filters)
    put(call, name, call.needed("kernel"), (f"{space} i o", shape))
    _put_bias(call, name, filters)
    return windowed(value, axes, name, number, _lengths(value, call, padding, filters))


def _depthwise(call: Call) -> Value:
    settings = call.settings
    rank, many = len(settings["kernel_size"]), int(settings["depth_multiplier"])
    if rank > 2:
        raise Unsupported("is a convolution by channel over three axes, which Keras has no layer for")
    value, axes = channels_last(call, call.first, rank)
    channels = _channels(value)
    value, padding = _bordered(call, value, axes)
    config = {"depth_multiplier": many, **_window(call, padding)}
    name, number = call.keras(f"DepthwiseConv{rank}D", config, value)
    shape = (*settings["kernel_size"], channels, many)
    put(call, name, call.needed("kernel"), (f"{SPACE[rank]} c m", shape), {"c": channels, "m": many})
    _put_bias(call, name, channels * many)
    return windowed(value, axes, name, number, _lengths(value, call, padding, channels * many))


def _transposed(call: Call) -> Value:
    """What Keras cuts off is told by `valid`, `same`, or a cropping behind `valid`."""
    settings = call.settings
    rank, filters = len(settings["kernel_size"]), int(settings["filters"])
    value, axes = channels_last(call, call.first, rank)
    if int(settings["groups"]) != 1:
        raise Unsupported("is a transposed convolution in groups, which Keras has no layer for")
    cut = settings["padding"]
    if isinstance(cut, str):
        raise Unsupported(f"has the padding {cut}, which does not follow from the file")
    extra = tuple(settings.get("output_padding") or (0,) * rank)
    config, crop = _as_valid(settings, cut, extra)
    named = {} if any(any(pair) for pair in crop) else fused_name(call)
    config = {"filters": filters, "use_bias": call.tensor("bias") is not None, **config, **named}
    name, number = call.keras(f"Conv{rank}DTranspose", config, value)
    shape = (*settings["kernel_size"], filters, _channels(value))
    put(call, name, call.needed("kernel"), (f"{SPACE[rank]} o i", shape))
    _put_bias(call, name, filters)
    lengths = [_grown(n, p, c) for n, p, c in zip(_space(value), _sizes(settings, extra), cut, strict=True)]
    made = windowed(value, axes, name, number, [None, *lengths, filters])
    if any(any(pair) for pair in crop):
        made = _cropped(call, made, crop)
    return made


def _sizes(settings: Mapping[str, Any], extra: Sequence[int]) -> list[tuple[int, int, int]]:
    spans = [d * (k - 1) + 1 for k, d in zip(settings["kernel_size"], settings["dilation"], strict=True)]
    return list(zip(settings["strides"], spans, extra, strict=True))


def _grown(length: int | None, window: tuple[int, int, int], cut: tuple[int, int]) -> int | None:
    stride, span, extra = window
    return None if length is None else (length - 1) * stride + span + extra - sum(cut)


def _as_valid(settings: Mapping[str, Any], cut: Pairs, extra: Sequence[int]) -> tuple[dict[str, Any], Pairs]:
    """Keras's `same` cuts a kernel's surplus over the stride; else `valid`, and a Cropping behind it."""
    sizes = _sizes(settings, extra)
    config = {
        "kernel_size": list(settings["kernel_size"]),
        "strides": list(settings["strides"]),
        "dilation_rate": list(settings["dilation"]),
    }
    net = tuple((before, after - more) for (before, after), (_, _, more) in zip(cut, sizes, strict=True))
    if net == tuple(_surplus(stride, span) for stride, span, _ in sizes):
        return {**config, "padding": "same"}, tuple((0, 0) for _ in cut)
    longer = [max(stride - span, 0) for stride, span, _ in sizes]  # Keras's `valid` gives whole strides
    crop = tuple((b, a + more) for (b, a), more in zip(net, longer, strict=True))
    if min(after for _, after in crop) < 0:
        raise Unsupported("adds more to the end of its output than Keras does")
    return {**config, "padding": "valid"}, crop


def _surplus(stride: int, span: int) -> tuple[int, int] | None:
    """What `same` cuts off before and after; None of a kernel that is smaller than its stride."""
    surplus = span - stride
    return None if surplus < 0 else (surplus // 2, surplus - surplus // 2)


def _cropped(call: Call, value: Value, crop: Pairs) -> Value:
    config = {"cropping": amounts(crop)}
    name = call.writer.layer(f"Cropping{len(crop)}D", f"{call.name}_crop", config, value)
    return value.after(name)


def _channels(value: Value) -> int:
    channels = value.layout.shape[-1]
    if channels is None:
        raise Unsupported("is fed a number of channels that is not known")
    return channels


def _bordered(call: Call, value: Value, axes: Sequence[int]) -> tuple[Value, str]:
    """Keras's padding, with zeros put around the value where it has none like it."""
    settings = call.settings
    window = (settings["kernel_size"], settings["strides"], settings["dilation"])
    name = as_same(settings["padding"], _space(value), *window)
    if name is not None:
        return value, name
    return padded(call, value, axes, settings["padding"], f"{call.name}_pad"), "valid"


def _space(value: Value) -> tuple[int | None, ...]:
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
    return [None, *slid(_space(value), padding, *window), channels]


def _put_bias(call: Call, layer: str, size: int) -> None:
    bias = call.tensor("bias")
    if bias is not None:
        transform, parameters = flat(bias)
        call.weight(layer, "bias", (size,), bias, transform, parameters)


BUILDERS: Mapping[str, Builder] = {"Conv": _conv, "DepthwiseConv": _depthwise, "ConvTranspose": _transposed}
