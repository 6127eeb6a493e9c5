"""Pools over windows and over whole maps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.reductions import reduced
from weightbridge.converting.from_graph.layout import Layout, axis_of
from weightbridge.converting.from_graph.maps.averages import averaged
from weightbridge.converting.from_graph.maps.borders import Pairs, as_same, padded, slid
from weightbridge.converting.from_graph.maps.convolutions import channels_last, windowed
from weightbridge.converting.from_graph.source.signs import never_negative
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

CLASSES = {"max": "MaxPooling", "average": "AveragePooling"}


def _pool(call: Call) -> Value:
    settings = call.settings
    size, strides = settings["pool_size"], settings["strides"]
    value, axes = channels_last(call, call.first, len(size))
    space, ones = value.layout.shape[1:-1], (1,) * len(size)
    told, pairs = settings["padding"], _pairs(call, space)
    name = as_same(pairs, space, size, strides, ones)
    if settings["kind"] == "average" and (pairs != told or name is None or _counts_borders(call, pairs)):
        return averaged(call, value, axes, told, pairs)
    if name is None or name == "causal":
        value, name = _bordered(call, value, axes, pairs), "valid"
    config = {"pool_size": list(size), "strides": list(strides), "padding": name}
    class_name = f"{CLASSES[settings['kind']]}{len(size)}D"
    layer = call.writer.layer(class_name, call.name, config, value)
    lengths = slid(value.layout.shape[1:-1], name, size, strides, ones)
    return windowed(value, axes, layer, 0, [None, *lengths, value.layout.shape[-1]])


def _pairs(call: Call, space: Sequence[int | None]) -> Any:
    """The padding, with what rounding up adds to the end."""
    settings = call.settings
    pairs = settings["padding"]
    if isinstance(pairs, str) or not settings.get("ceil_mode"):
        return pairs
    windows = zip(space, pairs, settings["pool_size"], settings["strides"], strict=True)
    return tuple(_rounded_up(*window) for window in windows)


def _rounded_up(length: int | None, pair: tuple[int, int], size: int, stride: int) -> tuple[int, int]:
    if length is None:
        raise Unsupported("rounds up (ceil_mode) along an axis whose length is not known")
    whole = length + sum(pair)
    steps = -(-(whole - size) // stride)
    if steps * stride >= length + pair[0]:  # a window would lie beyond the end
        steps -= 1
    return pair[0], pair[1] + max(steps * stride + size - whole, 0)


def _counts_borders(call: Call, pairs: Any) -> bool:
    has_border = not isinstance(pairs, str) and any(any(pair) for pair in pairs)
    return has_border and bool(call.settings.get("count_include_pad"))


def _bordered(call: Call, value: Value, axes: Sequence[int], pairs: Pairs) -> Value:
    """A maximum ignores its border: of values that are never negative zeros are ignored as well."""
    lowest = not never_negative(call.source, call.name)
    return padded(call, value, axes, pairs, f"{call.name}_pad", lowest=lowest)


def _global_pool(call: Call) -> Value:
    settings = call.settings
    if not _pools_space(call):
        return reduced(call)
    rank = call.first.layout.rank - 2
    value, axes = channels_last(call, call.first, rank)
    keeps = bool(settings.get("keepdims")) and not call.flattened
    class_name = f"Global{CLASSES[settings['kind']]}{rank}D"
    layer = call.writer.layer(class_name, call.name, {"keepdims": True} if keeps else {}, value)
    made = windowed(value, axes, layer, 0, [None, *(1 for _ in range(rank)), value.layout.shape[-1]])
    if not keeps:
        made = replace(made, layout=_without_ones(made.layout))
    if not settings.get("keepdims"):
        channel = axes[-1]
        kept = (made.layout.source[0], made.layout.source[channel])
        made = replace(made, layout=replace(made.layout, source=kept))
    return made


def _pools_space(call: Call) -> bool:
    """Whether it pools all axes but the batch and the channels, of one to three axes of space."""
    rank, axes = call.first.layout.rank, call.settings.get("axes")
    if rank not in (3, 4, 5):
        return False
    channel = rank - 1 if call.settings.get("data_format") == "channels_last" else 1
    space = {axis for axis in range(1, rank) if axis != channel}
    return not isinstance(axes, tuple) or {axis_of(axis, rank) for axis in axes} == space


def _without_ones(layout: Layout) -> Layout:
    """Keras has no axes of length one but for the batch and the channels."""
    return replace(layout, keras=(layout.keras[0], *(g for g in layout.keras[1:-1] if g), layout.keras[-1]))


BUILDERS: Mapping[str, Builder] = {"Pool": _pool, "GlobalPool": _global_pool}
