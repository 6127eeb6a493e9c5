"""Parts of a value: Slice, Split and Gather, as Keras saves `x[:, 2:5]`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.cutting import behind
from weightbridge.converting.from_graph.layout import Layout, Length, axis_of, plain, with_source
from weightbridge.converting.from_graph.maps.strided import strided
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.converting.parts import slice_entry
from weightbridge.errors import Unsupported

FAR = 1 << 30
Cut = tuple[int | None, int | None, int]  # start, stop, step


def cut_out(writer: Writer, value: Value, cuts: Mapping[int, Cut | int], hint: str) -> str:
    """The operation that takes a part of a value, as `value[:, 2:5]`. cuts: by those of Keras's axes."""
    key = [_written(cuts.get(place, (None, None, 1))) for place in range(len(value.layout.keras))]
    return writer.operation("numpy.GetItem", hint, {}, [value, key])


def _written(cut: Cut | int) -> dict[str, Any] | int:
    if isinstance(cut, int):
        return cut
    start, stop, step = cut
    return slice_entry(start or None, stop, None if step == 1 else step)


def _slice(call: Call) -> Value:
    cuts = cuts_of(call)
    layout = call.first.layout
    cuts = {axis: cut for axis, cut in cuts.items() if not _is_whole(layout.source_shape[axis], cut)}
    if not cuts:
        return call.first
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    if order[0] in cuts:
        raise Unsupported("takes a part of the batch")
    placed = {order.index(axis): cut for axis, cut in cuts.items()}
    name = _cropped(call, value, placed) or cut_out(call.writer, value, placed, call.name)
    shape = list(value.layout.source_shape)
    for axis, cut in cuts.items():
        shape[axis] = _length(shape[axis], cut)
    return Value(name, 0, 0, plain(shape, order), value.dtype)


def _cropped(call: Call, value: Value, cuts: Mapping[int, Cut]) -> str | None:
    """Borders cut off all axes of space are a layer; "" for other parts. cuts: by Keras's axes.

    Of a sequence that is so where the node counts from the end, as Cropping1D does.
    """
    rank = len(value.layout.keras) - 2
    if not 1 <= rank <= 3 or not set(cuts) <= set(range(1, rank + 1)):
        return None
    pairs = [_border(cuts.get(place + 1, (None, None, 1)), rank) for place in range(rank)]
    if None in pairs or (rank > 1 and len(cuts) < rank):
        return None
    sides = [list(pair) for pair in pairs if pair is not None]
    cropping = sides[0] if rank == 1 else sides
    return call.writer.layer(f"Cropping{rank}D", call.name, {"cropping": cropping}, value)


def _border(cut: Cut, rank: int) -> tuple[int, int] | None:
    """What is cut off before and behind, where the end is counted from the end."""
    start, stop, step = cut
    is_border = step == 1 and (start or 0) >= 0 and (stop is None or stop < 0)
    is_both = rank > 1 or ((start or 0) > 0 and stop is not None)
    return (start or 0, -(stop or 0)) if is_border and is_both else None


def cuts_of(call: Call) -> dict[int, Cut]:
    """By the source's axis."""
    settings, rank = call.settings, call.first.layout.rank
    if call.layer.class_name == "Split" or "part" in settings:
        return {axis_of(settings.get("axis", 0), rank): _part(call)}
    starts, ends = settings.get("starts"), settings.get("ends")
    if not isinstance(starts, tuple) or not isinstance(ends, tuple) or None in starts or None in ends:
        raise Unsupported("cuts at places that do not follow from the file")
    axes = settings.get("axes") or tuple(range(len(starts)))
    steps = settings.get("steps") or (1,) * len(starts)
    cuts = zip(axes, starts, ends, steps, strict=True)
    return {axis_of(axis, rank): _bounded(start, end, step) for axis, start, end, step in cuts}


def _part(call: Call) -> Cut:
    """A part of a Split: where it stands, or which of so many equal ones it is."""
    settings = call.settings
    start, stop, part = (settings.get(key) for key in ("start", "stop", "part"))
    if isinstance(start, int) and isinstance(stop, int):
        whole = call.first.layout.source_shape[call.first.layout.axis(int(settings.get("axis", 0)))]
        if not 0 <= start <= stop <= (stop if whole is None else whole):
            raise Unsupported(f"cuts into parts of which one is from {start} to {stop}")
        return start, stop, 1
    (source,) = call.source.parents[call.name][:1]
    others = (call.source.by_name[name] for name in call.source.children[source])
    count = 1 + max((int(one.settings.get("part", 0)) for one in others if "part" in one.settings), default=0)
    length = call.first.layout.source_shape[int(settings.get("axis", 0))]
    if not isinstance(part, int) or length is None or length % count:
        raise Unsupported("cuts into parts whose lengths do not follow from the file")
    width = length // count
    return part * width, (part + 1) * width, 1


def _bounded(start: int, end: int, step: int) -> Cut:
    """The bounds that ONNX writes as huge numbers are open."""
    return (None if abs(start) >= FAR else start, None if abs(end) >= FAR else end, step)


def _is_whole(length: Length, cut: Cut) -> bool:
    start, stop, step = cut
    if step != 1:
        return False
    if start in (0, None) and stop is None:
        return True
    return length is not None and len(range(length)[start:stop]) == length


def _length(length: Length, cut: Cut) -> Length:
    start, stop, step = cut
    if length is not None:
        return len(range(length)[start:stop:step])
    is_told = step == 1 and stop is not None and (start or 0) >= 0 and stop >= 0
    if is_told and stop is not None:
        return stop - (start or 0)
    is_tail = step == 1 and stop is None and start is not None and start < 0
    return -start if is_tail and start is not None else None


def _gather(call: Call) -> Value:
    """One index, or several that stand in the file."""
    settings = call.settings
    if "item_size" in settings and not settings.get("axis"):
        return strided(call)
    indices, axis = settings.get("indices"), axis_of(settings.get("axis", 0), call.first.layout.rank)
    if isinstance(indices, int) and not isinstance(indices, bool):
        return _one(call, axis, indices)
    places = np.asarray(indices if isinstance(indices, tuple) else ())
    if not places.size or places.dtype.kind not in "iu":
        raise Unsupported("picks by indices that do not stand in the file")
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    length = value.layout.source_shape[axis]
    if order[0] == axis:
        raise Unsupported("picks items of the batch")
    chosen = _from_start(places.ravel().tolist(), length)
    config = {"axis": order.index(axis)}
    name = call.writer.operation("numpy.Take", call.name, config, [value, chosen])
    shape = list(value.layout.source_shape)
    shape[axis] = len(chosen)
    return Value(name, 0, 0, _cut(plain(shape, order), axis, places.shape), value.dtype)


def _from_start(indices: Sequence[int], length: Length) -> list[int]:
    """Indices counted from the first place. Raises Unsupported for those that the axis does not have."""
    if length is None:
        return list(indices)
    if min(indices) < -length or max(indices) >= length:
        raise Unsupported(f"picks places that an axis of length {length} does not have")
    return [index % length for index in indices]


def _cut(layout: Layout, axis: int, shape: Sequence[int]) -> Layout:
    """The axis of what was picked as the axes that the indices have."""
    known = layout.source_shape
    cut = behind(layout, axis, [*shape, *known[axis + 1 :]], None) if len(shape) > 1 else layout
    if cut is None:
        raise Unsupported("picks by indices of several axes before one whose length is not known")
    return cut


def _one(call: Call, axis: int, index: int) -> Value:
    """One place of an axis, which is gone then."""
    layout = call.first.layout
    kept = [group for n, group in enumerate(layout.source) if n != axis]
    if not layout.source[axis]:
        return call.first.seen(with_source(layout, kept))
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    if order[0] == axis:
        raise Unsupported("takes one item of the batch")
    name = cut_out(call.writer, value, {order.index(axis): index}, call.name)
    return Value(name, 0, 0, _without(value.layout, order, axis), value.dtype)


def _without(layout: Layout, order: Sequence[int], axis: int) -> Layout:
    shape = [length for n, length in enumerate(layout.source_shape) if n != axis]
    left = [one - (one > axis) for one in order if one != axis]
    return plain(shape, left)


BUILDERS: Mapping[str, Builder] = {"Slice": _slice}
CLASSES: Mapping[str, Builder] = {"Gather": _gather}
