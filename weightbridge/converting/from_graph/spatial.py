"""Borders around maps, borders cut off, and maps of another size."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.borders import amounts, padded
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Layout, Length, plain
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

# how the source finds pixels -> how Keras interpolates: UpSampling repeats, Resizing takes centres
REPEATED = frozenset({("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"),
                      ("half_pixel", "round_prefer_ceil"), ("asymmetric", "round_prefer_floor")})  # fmt: skip
CENTRES = frozenset({"half_pixel", "pytorch_half_pixel"})
KERAS_CUBIC = -0.5
MODES = ("constant", "reflect", "symmetric")  # of numpy.Pad in Keras


def _pad(call: Call) -> Value:
    """Zeros around axes of space are a layer; all else is Keras's own operation."""
    settings = call.settings
    pads = _pads(call)
    if not any(any(pair) for pair in pads):
        return call.first
    if any(n < 0 for pair in pads for n in pair):
        raise Unsupported("cuts off a border by padding with a negative number")
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    turned = [pads[axis] for axis in order]
    is_zero = settings.get("mode", "constant") == "constant" and not settings.get("value")
    rank = len(order) - 2
    if is_zero and 1 <= rank <= 3 and not any((*turned[0], *turned[-1])):
        return padded(call, value, order, tuple(turned[1:-1]), call.name)
    shape = [_longer(n, pair) for n, pair in zip(value.layout.source_shape, pads, strict=True)]
    return _by_operation(call, value, turned, plain(shape, order))


def _by_operation(call: Call, value: Value, pairs: Sequence[tuple[int, int]], layout: Layout) -> Value:
    mode = str(call.settings.get("mode", "constant"))
    if mode not in MODES or any(pairs[0]):
        raise Unsupported(f"pads by {call.settings.get('mode')}")
    config = {"pad_width": [list(pair) for pair in pairs], "mode": mode}
    name = call.writer.operation("numpy.Pad", call.name, config, [value])
    if mode == "constant":
        told = call.settings.get("value", 0.0)
        if told is None:
            raise Unsupported("pads with a number that does not follow from the file")
        call.writer.with_arguments(name, {"constant_values": float(told)})
    return Value(name, 0, 0, layout, value.dtype)


def _pads(call: Call) -> list[tuple[int, int]]:
    """For each of the source's axes what is put before and after it."""
    pads, axes, rank = call.settings.get("pads"), call.settings.get("axes"), call.first.layout.rank
    if not isinstance(pads, tuple) or not all(isinstance(pair, tuple) for pair in pads):
        return _of_space(call, rank)
    found = [(0, 0)] * rank
    places = range(rank) if axes is None else [int(axis) % rank for axis in axes]
    for place, pair in zip(places, pads, strict=True):
        found[place] = (int(pair[0]), int(pair[1]))
    return found


def _of_space(call: Call, rank: int) -> list[tuple[int, int]]:
    pairs = call.settings.get("padding")
    if not isinstance(pairs, tuple) or len(pairs) != rank - 2:
        raise Unsupported("pads by numbers that do not follow from the file")
    is_last = call.settings.get("data_format") == "channels_last"
    return [(0, 0), *pairs, (0, 0)] if is_last else [(0, 0), (0, 0), *pairs]


def _longer(length: Length, pair: tuple[int, int]) -> Length:
    return None if length is None else length + sum(pair)


def _resize(call: Call) -> Value:
    """UpSampling where whole numbers say how often, Resizing where a size does."""
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    sizes = _sizes(call, value)
    scales = _scales(call, value, sizes)
    changed = {n for n, axis in enumerate(order) if scales[axis] != 1.0}
    if not changed:
        return value
    if not changed <= set(range(1, len(order) - 1)):
        raise Unsupported("changes the number of channels, or the batch")
    how, factors = _interpolation(call), [scales[axis] for axis in order[1:-1]]
    name = _upsampling(call, value, how, factors)
    if name is None:
        name = _resizing(call, value, how, [sizes[axis] for axis in order[1:-1]])
    return Value(name, 0, 0, plain(sizes, order), value.dtype)


def _upsampling(call: Call, value: Value, how: str, factors: Sequence[float | None]) -> str | None:
    """None where no whole numbers say how often values are repeated."""
    rank = len(factors)
    is_known = how == "nearest" or (how == "bilinear" and rank == 2)
    whole = [int(f) for f in factors if f is not None and f == int(f)]
    if not is_known or len(whole) != rank or not 1 <= rank <= 3:
        return None
    config: dict[str, Any] = {"size": whole[0] if rank == 1 else whole}
    if rank == 2:
        config["interpolation"] = how
    return call.writer.layer(f"UpSampling{rank}D", call.name, config, value)


def _resizing(call: Call, value: Value, how: str, size: Sequence[Length]) -> str:
    if None in size or len(size) != 2 or how == "nearest":
        raise Unsupported(f"resizes {len(size)} axes by {how} to the size {tuple(size)}, by no whole number")
    config = {"height": size[0], "width": size[1], "interpolation": how}
    return call.writer.layer("Resizing", call.name, config, value)


def _interpolation(call: Call) -> str:
    """Keras's name for it. Raises Unsupported where Keras finds pixels in another way."""
    settings = call.settings
    how = str(settings.get("interpolation", "nearest"))
    coordinates = settings.get("coordinate_transformation", "half_pixel")
    if settings.get("antialias"):
        raise Unsupported("resizes with antialias")
    if how == "nearest" and (coordinates, settings.get("rounding", "floor")) in REPEATED:
        return how
    if how == "bilinear" and coordinates in CENTRES:
        return how
    if how == "bicubic" and coordinates in CENTRES and settings.get("cubic_coefficient") == KERAS_CUBIC:
        return how
    raise Unsupported(f"resizes by {how} with {coordinates} pixels, as no layer of Keras's does")


def _sizes(call: Call, value: Value) -> list[Length]:
    """The lengths of the source's axes after resizing."""
    before, shape = value.layout.source_shape, call.layer.output_shape
    told = _told_sizes(call, before)
    if told is not None:
        return told
    if shape is not None and len(shape) == len(before) - 1:
        return [before[0], *shape]
    return [_grown(*one) for one in zip(before, _told_scales(call, len(before)), strict=True)]


def _told_sizes(call: Call, before: Sequence[Length]) -> list[Length] | None:
    """The lengths that the layer states: of some axes, or of all."""
    told, axes = call.settings.get("sizes"), call.settings.get("axes")
    if not isinstance(told, tuple):
        return None
    if isinstance(axes, tuple):
        return _with_sizes(before, axes, told)
    is_whole = len(told) == len(before)
    return [a if b is None else b for a, b in zip(before, told, strict=True)] if is_whole else None


def _with_sizes(before: Sequence[Length], axes: Sequence[int], sizes: Sequence[Length]) -> list[Length]:
    """The lengths where only those of these axes are said."""
    new = {axis % len(before): size for axis, size in zip(axes, sizes, strict=False)}
    return [new.get(n, length) for n, length in enumerate(before)]


def _grown(length: Length, scale: float | None) -> Length:
    return None if length is None or scale is None else int(length * scale)


def _scales(call: Call, value: Value, after: Sequence[Length]) -> list[float | None]:
    """By how much each axis grows; None where it is not known."""
    told, before = _told_scales(call, value.layout.rank), value.layout.source_shape
    return [_scale(*one) for one in zip(told, before, after, strict=True)]


def _scale(told: float | None, before: Length, after: Length) -> float | None:
    if told is not None or before == after:
        return 1.0 if told is None else told
    return None if before is None or after is None else after / before


def _told_scales(call: Call, rank: int) -> list[float | None]:
    told = call.settings.get("scales")
    if not isinstance(told, tuple) or not told:
        scale = call.settings.get("scale")
        told = (1.0, 1.0, *scale) if isinstance(scale, tuple) else ()
    return [float(s) for s in told] if len(told) == rank else [None] * rank


def _crop(call: Call) -> Value:
    pairs = tuple(call.settings["padding"])
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    shape = list(value.layout.source_shape)
    for axis, pair in zip(order[1:-1], pairs, strict=True):
        length = shape[axis]
        shape[axis] = None if length is None else length - sum(pair)
    name = call.writer.layer(f"Cropping{len(pairs)}D", call.name, {"cropping": amounts(pairs)}, value)
    return value.after(name).seen(plain(shape, order))


BUILDERS: Mapping[str, Builder] = {"Pad": _pad, "Resize": _resize, "Crop": _crop}
