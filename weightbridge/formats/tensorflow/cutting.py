"""Operations of TensorFlow and TFLite that cut values apart or put them side by side, as ONNX's."""

from collections.abc import Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.steps import LAST
from weightbridge.formats.tensorflow.values import Shape, Values


def split(call: Values) -> list[Node] | None:
    """Inputs: the axis, the data."""
    axis = call.integers(0)
    if not axis:
        return None
    return [Node(call.output, "Split", "", (call.value(1),), call.outputs, {"axis": axis[0]})]


def split_by_lengths(call: Values) -> list[Node] | None:
    """Inputs: the data, the lengths of the parts, the axis."""
    lengths, axis = call.integers(1), call.integers(2)
    if not lengths or not axis:
        return None
    whole = _all_lengths(lengths, call.shape(call.value(0)), axis[0])
    if whole is None:
        return None
    found = {"axis": axis[0], "split": whole}
    return [Node(call.output, "Split", "", (call.value(0),), call.outputs, found)]


def _all_lengths(lengths: tuple[int, ...], shape: Shape | None, axis: int) -> tuple[int, ...] | None:
    """With the one that is -1 for what is left; None where that does not follow."""
    if -1 not in lengths:
        return lengths
    whole = None if shape is None or not -len(shape) <= axis < len(shape) else shape[axis]
    left = -1 if whole is None else whole - sum(lengths) - 1
    return None if left < 0 else tuple(left if n == -1 else n for n in lengths)


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
    """What is kept of one axis. is_single: one row, which loses its axis. is_new: an axis that comes."""

    start: int = 0
    end: int = LAST
    step: int = 1
    is_single: bool = False
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class _Placed:
    """A cut with its axis among those of the data, and among those of the output."""

    cut: _Cut
    axis: int
    after: int


def strided_slice(call: Values, masks: Masks) -> list[Node] | None:
    """Inputs: the data, begins, ends, strides. Axes behind an ellipsis are counted from the last one."""
    numbers = _numbers(call)
    if numbers is None:
        return None
    points = [i for i in range(len(numbers)) if masks.ellipsis >> i & 1]
    if len(points) > 1:
        return None
    first = points[0] if points else len(numbers)
    cuts = [_cut(i, *told, masks) for i, told in enumerate(numbers)]
    placed = [*_from_first(cuts[:first]), *_from_last(cuts[first + 1 :])]
    return _cut_apart(call, placed)


def _numbers(call: Values) -> list[tuple[int, int, int]] | None:
    """The begin, end and stride of each cut; None where they are not plain numbers."""
    begins, ends, strides = (call.integers(place) for place in (1, 2, 3))
    if begins is None or ends is None or strides is None or 0 in strides:
        return None
    is_whole = len(begins) == len(ends) == len(strides)
    return list(zip(begins, ends, strides, strict=True)) if is_whole else None


def _cut(i: int, begin: int, end: int, stride: int, masks: Masks) -> _Cut:
    no_begin, no_end, single = (bool(m >> i & 1) for m in (masks.begin, masks.end, masks.shrink))
    if masks.new_axis >> i & 1:
        return _Cut(is_new=True)
    if single:
        return _Cut(begin, LAST if begin == -1 else begin + 1, 1, is_single=True)
    first, last = (0, LAST) if stride > 0 else (LAST, -LAST)
    return _Cut(first if no_begin else begin, last if no_end else end, stride)


def _from_first(cuts: Sequence[_Cut]) -> list[_Placed]:
    return [
        _Placed(cut, sum(not c.is_new for c in cuts[:i]), sum(not c.is_single for c in cuts[:i]))
        for i, cut in enumerate(cuts)
    ]


def _from_last(cuts: Sequence[_Cut]) -> list[_Placed]:
    return [
        _Placed(cut, -sum(not c.is_new for c in cuts[i:]), -sum(not c.is_single for c in cuts[i:]))
        for i, cut in enumerate(cuts)
    ]


def _cut_apart(call: Values, placed: Sequence[_Placed]) -> list[Node]:
    """A Slice, then the axes that go, then those that come."""
    axes = {
        "Squeeze": tuple(p.axis for p in placed if p.cut.is_single),
        "Unsqueeze": tuple(p.after for p in placed if p.cut.is_new),
    }
    stages = [op for op, places in axes.items() if places]
    names = [*map(call.inner, [f"before_{op}" for op in stages]), call.output]
    nodes = _sliced_rows(call, [p for p in placed if not p.cut.is_new], names[0])
    for op, before, output in zip(stages, names, names[1:], strict=False):
        nodes.append(call.node(op, (before,), output, axes=axes[op]))
    return nodes


def _sliced_rows(call: Values, placed: Sequence[_Placed], output: str) -> list[Node]:
    cuts = [p.cut for p in placed]
    numbers = [c.start for c in cuts], [c.end for c in cuts], [c.step for c in cuts]
    return _sliced(call, *numbers, output, [p.axis for p in placed])


def _sliced(
    call: Values,
    starts: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int],
    output: str,
    numbers: Sequence[int] = (),
) -> list[Node]:
    """A Slice of the axes that it cuts. numbers: those of the axes, all from the first one where not said."""
    whole = [
        s in (0, LAST) and abs(e) == LAST and n == 1 for s, e, n in zip(starts, ends, steps, strict=True)
    ]
    axes = tuple(i for i, is_whole in enumerate(whole) if not is_whole)
    if not axes:
        return [call.node("Identity", (call.value(0),), output)]
    parts = {"starts": starts, "ends": ends, "axes": numbers or range(len(starts)), "steps": steps}
    told = [call.constant(name, tuple(part[i] for i in axes)) for name, part in parts.items()]
    inputs = (call.value(0), *(node.outputs[0] for node in told))
    return [*told, call.node("Slice", inputs, output)]
