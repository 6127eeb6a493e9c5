"""Borders around maps, and borders cut off."""

from collections.abc import Callable, Mapping, Sequence

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Layout, Length, axis_of, plain
from weightbridge.converting.from_graph.maps.borders import amounts, padded
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported

PLACES: Mapping[str, Callable[[int, int], int]] = {
    "edge": lambda place, length: min(max(place, 0), length - 1),
    "wrap": lambda place, length: place % length,
}
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
    if mode in PLACES:
        return _by_places(call, value, pairs, layout)
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


def _by_places(call: Call, value: Value, pairs: Sequence[tuple[int, int]], layout: Layout) -> Value:
    """The border's numbers by their places, axis by axis: Keras's operation has no such mode."""
    find = PLACES[str(call.settings["mode"])]
    lengths = value.layout.shape
    for axis, (before, after) in enumerate(pairs):
        length = lengths[axis]
        if not (before or after):
            continue
        if length is None or not axis:
            raise Unsupported(f"pads by {call.settings['mode']} an axis whose length is not known")
        places = [find(place, length) for place in range(-before, length + after)]
        name = call.writer.operation("numpy.Take", f"{call.name}_{axis}", {"axis": axis}, [value, places])
        shape = [*value.layout.source_shape]
        order = one_by_one(value.layout)
        shape[order[axis]] = len(places)
        value = Value(name, 0, 0, plain(shape, order), value.dtype)
    return value.seen(layout)


def _pads(call: Call) -> list[tuple[int, int]]:
    """For each of the source's axes what is put before and after it."""
    pads, axes, rank = call.settings.get("pads"), call.settings.get("axes"), call.first.layout.rank
    if not isinstance(pads, tuple) or not all(isinstance(pair, tuple) for pair in pads):
        return _of_space(call, rank)
    found = [(0, 0)] * rank
    places = range(rank) if axes is None else [axis_of(axis, rank) for axis in axes]
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


BUILDERS: Mapping[str, Builder] = {"Pad": _pad, "Crop": _crop}
