"""Values that stand several times: Tile and Expand, and sums along an axis."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.arrange import apart, arranged, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Length, plain, times, with_ones_in_front
from weightbridge.converting.from_graph.parts.indexing import cut_out
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer

BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min", "Where", "Pow"})


def _repeat(call: Call) -> Value:
    match call.layer.class_name:
        case "Tile":
            return _tiled(call, call.first, _numbers(call.settings.get("repeats")))
        case "Expand":
            return _expanded(call)
    raise Unsupported("has no counterpart in Keras here")


def _numbers(told: Any) -> tuple[int, ...]:
    if not isinstance(told, tuple) or None in told:
        raise Unsupported("repeats as often as does not follow from the file")
    return tuple(int(n) for n in told)


def _tiled(call: Call, value: Value, repeats: Sequence[int]) -> Value:
    """repeats: how often along each of the source's axes."""
    if all(n == 1 for n in repeats):
        return value
    vector = _repeated_vector(call, value, repeats)
    if vector is not None:
        return vector
    value = apart(call.writer, value, call.name)
    layout, order = value.layout, one_by_one(value.layout)
    if len(repeats) != layout.rank or repeats[order[0]] != 1:
        raise Unsupported("repeats the items of a batch")
    config = {"repeats": [repeats[axis] for axis in order]}
    name = call.writer.operation("numpy.Tile", call.name, config, [value])
    shape = [times(n, many) for n, many in zip(layout.source_shape, repeats, strict=True)]
    return value.after(name).seen(plain(shape, order))


def _repeated_vector(call: Call, value: Value, repeats: Sequence[int]) -> Value | None:
    """(batch, 1, features) -> (batch, n, features), which is RepeatVector of (batch, features)."""
    layout = value.layout
    if layout.rank != 3 or len(repeats) != 3 or (repeats[0], repeats[2]) != (1, 1):
        return None
    batch, middle, features = layout.source
    if middle or batch != (layout.batch,) or not features:
        return None
    vector = arranged(call.writer, value, (batch, features), call.name)
    name = call.writer.layer("RepeatVector", call.name, {"n": repeats[1]}, vector)
    return Value(name, 0, 0, plain([None, repeats[1], layout.source_shape[2]]), value.dtype)


def _expanded(call: Call) -> Value:
    """Axes of length one become longer; where all that follows does that by itself, nothing is done."""
    target = call.settings.get("target")
    if not isinstance(target, tuple):
        raise Unsupported("asks for a shape that does not follow from the file")
    value = call.first.seen(with_ones_in_front(call.first.layout, len(target)))
    if _is_broadcast_by_readers(call, target):
        return value
    layout = value.layout
    sizes = (*(1,) * (layout.rank - len(target)), *target)
    axes = zip(layout.source, layout.source_shape, sizes, strict=True)
    repeats = [1 if group == (layout.batch,) else _often(length, size) for group, length, size in axes]
    return _tiled(call, value, repeats)


def _often(length: Length, size: Length) -> int:
    if size == 1 or (length is not None and length == size):
        return 1
    if size is None or length is None or length != 1:
        raise Unsupported("asks for a length that does not follow from the file")
    return size


def _is_broadcast_by_readers(call: Call, target: Sequence[Length]) -> bool:
    """Whether all that reads it joins it with a value that has the whole shape already."""
    source = call.source
    if any(port.layer == call.name for port in source.output_ports):
        return False
    readers = [source.by_name[name] for name in source.children[call.name]]
    return bool(readers) and all(_broadcasts(call, reader, target) for reader in readers)


def _broadcasts(call: Call, reader: Layer, target: Sequence[Length]) -> bool:
    others = [name for name in call.source.parents[reader.name] if name != call.name]
    shapes = [call.source.by_name[name].output_shape for name in others]
    return reader.class_name in BROADCASTING and any(
        shape is not None and None not in shape and shape == tuple(target[1:]) for shape in shapes
    )


def _summed_up(call: Call) -> Value:
    """CumSum: from the end where it is reversed, without its own number where it is exclusive."""
    settings = call.settings
    value = apart(call.writer, call.first, call.name)
    order, told = one_by_one(value.layout), settings.get("axis")
    if not isinstance(told, int):
        raise Unsupported("sums up along an axis that does not follow from the file")
    place = order.index(value.layout.axis(told))
    if not place:
        raise Unsupported("sums up the items of a batch")
    if settings.get("reverse"):
        value = _flipped(call, value, place, "turned")
    if settings.get("exclusive"):
        value = _moved(call, value, place)
    value = value.after(call.writer.operation("numpy.Cumsum", call.name, {"axis": place}, [value]))
    return _flipped(call, value, place, "back") if settings.get("reverse") else value


def _flipped(call: Call, value: Value, place: int, word: str) -> Value:
    return value.after(call.writer.operation("numpy.Flip", f"{call.name}_{word}", {"axis": place}, [value]))


def _moved(call: Call, value: Value, place: int) -> Value:
    """One place further, a zero in front."""
    count = len(value.layout.keras)
    cut = value.after(cut_out(call.writer, value, {place: (None, -1, 1)}, f"{call.name}_cut"))
    widths = [[int(n == place), 0] for n in range(count)]
    config = {"pad_width": widths, "mode": "constant"}
    return value.after(call.writer.operation("numpy.Pad", f"{call.name}_pad", config, [cut]))


BUILDERS: Mapping[str, Builder] = {"Repeat": _repeat}
CLASSES: Mapping[str, Builder] = {"CumSum": _summed_up}
