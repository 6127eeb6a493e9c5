"""Operators that cut values apart, and PACK, which puts them side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tflite.nodes.call import Call, Handler

LAST = (1 << 31) - 1  # an end beyond every axis


def split(call: Call) -> list[Node] | None:
    """Inputs: the axis, the data."""
    axis = call.integers(0)
    if not axis:
        return None
    return [Node(call.output, "Split", "", (call.value(1),), call.outputs, {"axis": axis[0]})]


def split_by_lengths(call: Call) -> list[Node] | None:
    """Inputs: the data, the lengths of the parts, the axis."""
    lengths, axis = call.integers(1), call.integers(2)
    if not lengths or not axis or -1 in lengths:
        return None
    found = {"axis": axis[0], "split": lengths}
    return [Node(call.output, "Split", "", (call.value(0),), call.outputs, found)]


def pack(call: Call) -> list[Node]:
    axis, parts = call.integer(1), [call.inner(f"part{i}") for i in range(len(call.inputs))]
    raised = [
        Node("", "Unsqueeze", "", (value,), (part,), {"axes": (axis,)})
        for value, part in zip(call.inputs, parts, strict=True)
    ]
    return [*raised, call.node("Concat", tuple(parts), axis=axis)]


def unpack(call: Call) -> list[Node]:
    axis, parts = call.integer(1), tuple(call.inner(f"part{i}") for i in range(len(call.outputs)))
    cut = Node(call.output, "Split", "", call.inputs, parts, {"axis": axis})
    lowered = [
        Node(output, "Squeeze", "", (part,), (output,), {"axes": (axis,)})
        for part, output in zip(parts, call.outputs, strict=True)
    ]
    return [cut, *lowered]


def slice_of_size(call: Call) -> list[Node] | None:
    """Inputs: the data, where to begin, how many; -1 for all that are left."""
    begin, size = call.integers(1), call.integers(2)
    if begin is None or size is None or len(begin) != len(size):
        return None
    ends = tuple(LAST if n < 0 else first + n for first, n in zip(begin, size, strict=True))
    return _sliced(call, begin, ends, (1,) * len(begin), call.output)


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is kept of one axis. is_single: one row, which loses its axis."""

    start: int
    end: int
    step: int
    is_single: bool = False


def strided_slice(call: Call) -> list[Node] | None:
    cuts = _cuts(call)
    if cuts is None:
        return None
    gone = tuple(i for i, cut in enumerate(cuts) if cut.is_single)
    rows = call.inner("rows") if gone else call.output
    nodes = _sliced(call, [c.start for c in cuts], [c.end for c in cuts], [c.step for c in cuts], rows)
    return [*nodes, call.node("Squeeze", (rows,), axes=gone)] if gone else nodes


def _cuts(call: Call) -> list[_Cut] | None:
    """Masks say by a bit an axis whose begin or end is not meant, or whose one row loses its axis."""
    begin, end, strides = (call.integers(place) for place in (1, 2, 3))
    ellipsis, new_axes, is_by_length = call.integer(2), call.integer(3), call.flag(5)
    if begin is None or end is None or strides is None or ellipsis or new_axes or is_by_length:
        return None
    if not len(begin) == len(end) == len(strides) or 0 in strides:
        return None
    masks = call.integer(0), call.integer(1), call.integer(4)
    return [_cut(i, *numbers, masks) for i, numbers in enumerate(zip(begin, end, strides, strict=True))]


def _cut(axis: int, begin: int, end: int, stride: int, masks: tuple[int, int, int]) -> _Cut:
    no_begin, no_end, single = (bool(mask >> axis & 1) for mask in masks)
    if single:
        return _Cut(begin, LAST if begin == -1 else begin + 1, 1, True)
    first, last = (0, LAST) if stride > 0 else (LAST, -LAST)
    return _Cut(first if no_begin else begin, last if no_end else end, stride)


def _sliced(
    call: Call, starts: Sequence[int], ends: Sequence[int], steps: Sequence[int], output: str
) -> list[Node]:
    """A Slice of the axes that it cuts."""
    whole = [
        s in (0, LAST) and abs(e) == LAST and n == 1 for s, e, n in zip(starts, ends, steps, strict=True)
    ]
    axes = tuple(i for i, is_whole in enumerate(whole) if not is_whole)
    if not axes:
        return [call.node("Identity", (call.value(0),), output)]
    parts = {"starts": starts, "ends": ends, "axes": range(len(starts)), "steps": steps}
    told = [call.constant(name, tuple(numbers[i] for i in axes)) for name, numbers in parts.items()]
    inputs = (call.value(0), *(node.outputs[0] for node in told))
    return [*told, call.node("Slice", inputs, output)]


HANDLERS: Mapping[str, Handler] = {
    "SPLIT": split,
    "SPLIT_V": split_by_lengths,
    "PACK": pack,
    "UNPACK": unpack,
    "SLICE": slice_of_size,
    "STRIDED_SLICE": strided_slice,
}
