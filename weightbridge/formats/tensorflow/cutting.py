"""Operations of TensorFlow and TFLite that cut values apart or put them side by side, as ONNX's."""

from collections.abc import Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.values import Values

LAST = (1 << 31) - 1  # an end beyond every axis


def split(call: Values) -> list[Node] | None:
    """Inputs: the axis, the data."""
    axis = call.integers(0)
    if not axis:
        return None
    return [Node(call.output, "Split", "", (call.value(1),), call.outputs, {"axis": axis[0]})]


def split_by_lengths(call: Values) -> list[Node] | None:
    """Inputs: the data, the lengths of the parts, the axis."""
    lengths, axis = call.integers(1), call.integers(2)
    if not lengths or not axis or -1 in lengths:
        return None
    found = {"axis": axis[0], "split": lengths}
    return [Node(call.output, "Split", "", (call.value(0),), call.outputs, found)]


def pack(call: Values, axis: int) -> list[Node]:
    parts = [call.inner(f"part{i}") for i in range(len(call.inputs))]
    raised = [
        Node("", "Unsqueeze", "", (value,), (part,), {"axes": (axis,)})
        for value, part in zip(call.inputs, parts, strict=True)
    ]
    return [*raised, call.node("Concat", tuple(parts), axis=axis)]


def unpack(call: Values, axis: int) -> list[Node]:
    parts = tuple(call.inner(f"part{i}") for i in range(len(call.outputs)))
    cut = Node(call.output, "Split", "", call.inputs, parts, {"axis": axis})
    lowered = [
        Node(output, "Squeeze", "", (part,), (output,), {"axes": (axis,)})
        for part, output in zip(parts, call.outputs, strict=True)
    ]
    return [cut, *lowered]


def slice_of_size(call: Values) -> list[Node] | None:
    """Inputs: the data, where to begin, how many; -1 for all that are left."""
    begin, size = call.integers(1), call.integers(2)
    if begin is None or size is None or len(begin) != len(size):
        return None
    ends = tuple(LAST if n < 0 else first + n for first, n in zip(begin, size, strict=True))
    return _sliced(call, begin, ends, (1,) * len(begin), call.output)


@dataclass(frozen=True, slots=True)
class Masks:
    """A bit for each axis: its begin or end is not meant, or it is one row and loses its axis."""

    begin: int = 0
    end: int = 0
    ellipsis: int = 0
    new_axis: int = 0
    shrink: int = 0


@dataclass(frozen=True, slots=True)
class _Cut:
    """What is kept of one axis. is_single: one row, which loses its axis."""

    start: int
    end: int
    step: int
    is_single: bool = False


def strided_slice(call: Values, masks: Masks) -> list[Node] | None:
    """Inputs: the data, begins, ends, strides."""
    cuts = _cuts(call, masks)
    if cuts is None:
        return None
    gone = tuple(i for i, cut in enumerate(cuts) if cut.is_single)
    rows = call.inner("rows") if gone else call.output
    nodes = _sliced(call, [c.start for c in cuts], [c.end for c in cuts], [c.step for c in cuts], rows)
    return [*nodes, call.node("Squeeze", (rows,), axes=gone)] if gone else nodes


def _cuts(call: Values, masks: Masks) -> list[_Cut] | None:
    begin, end, strides = (call.integers(place) for place in (1, 2, 3))
    if begin is None or end is None or strides is None or masks.ellipsis or masks.new_axis:
        return None
    if not len(begin) == len(end) == len(strides) or 0 in strides:
        return None
    return [_cut(i, *numbers, masks) for i, numbers in enumerate(zip(begin, end, strides, strict=True))]


def _cut(axis: int, begin: int, end: int, stride: int, masks: Masks) -> _Cut:
    no_begin, no_end, single = (bool(m >> axis & 1) for m in (masks.begin, masks.end, masks.shrink))
    if single:
        return _Cut(begin, LAST if begin == -1 else begin + 1, 1, True)
    first, last = (0, LAST) if stride > 0 else (LAST, -LAST)
    return _Cut(first if no_begin else begin, last if no_end else end, stride)


def _sliced(
    call: Values, starts: Sequence[int], ends: Sequence[int], steps: Sequence[int], output: str
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
