"""Sequences of which some steps do not count: the others moved to the front, and back to their places."""

from collections.abc import Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.converting.to_onnx.arrange import as_keras, transpose
from weightbridge.converting.to_onnx.elements import cast
from weightbridge.converting.to_onnx.functions.slices import split
from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer


@dataclass(frozen=True, slots=True)
class Steps:
    """value: with the steps that count in front. lengths: how many those are. mask: (batch, steps) of
    true and false, counts: of 1 and 0.
    """

    value: Value
    lengths: str
    mask: str
    counts: str


def compacted(writer: Writer, value: Value, mask: Value) -> Steps:
    """Steps that count keep their order: they are sorted by their number, the others by more than any."""
    value, counts = as_keras(writer, value), cast(writer, mask, "int64").name
    number = writer.op("Sub", _counted(writer, counts), writer.constant("one", 1, "int64"))
    length = _length(writer, counts)
    later = writer.op("Add", number, length)
    place = writer.op("Where", mask.name, number, later)
    _, order = writer.ops("TopK", (place, length), 2, axis=1, largest=0, sorted=1)
    moved = _picked(writer, value.name, order)
    total = writer.op("ReduceSum", counts, writer.integers("axis", [1]), keepdims=0)
    lengths = writer.op("Cast", total, to=6)
    return Steps(value.named(moved), lengths, mask.name, counts)


def in_their_places(
    writer: Writer, steps: Steps, sequence: str, backwards: Sequence[bool], *, is_zero: bool
) -> str:
    """(steps, directions, batch, units) of the steps that count -> the same of all steps.

    backwards: the way of each direction. is_zero: what does not count gives zeros; else what was given last.
    """
    turned = transpose(writer, sequence, (2, 0, 1, 3))
    parts = [turned] if len(backwards) == 1 else split(writer, turned, 2, len(backwards))
    placed = [_placed(writer, steps, *one, is_zero) for one in zip(parts, backwards, strict=True)]
    joined = placed[0] if len(placed) == 1 else writer.op("Concat", *placed, axis=2)
    return transpose(writer, joined, (1, 2, 0, 3))


def kept_states(
    writer: Writer, steps: Steps, states: Sequence[str], before: Sequence[str]
) -> tuple[str, ...]:
    """States that no step has changed are what they were; zeros already where none were given."""
    if not any(before):
        return tuple(states)
    is_run = writer.op("Greater", steps.lengths, writer.constant("none", 0, "int32"))
    is_run = writer.unsqueezed(is_run, [0, 2])
    return tuple(writer.op("Where", is_run, *pair) for pair in zip(states, before, strict=True))


def _placed(writer: Writer, steps: Steps, sequence: str, is_backward: bool, is_zero: bool) -> str:
    """(batch, steps, 1, units): forward the last that counts up to here, backward the first."""
    until, one = _counted(writer, steps.counts), writer.constant("one", 1, "int64")
    place = writer.op("Sub", until, steps.counts if is_backward else one)
    shown = _shown(writer, steps, place, is_backward, is_zero)
    last = writer.op("Sub", _length(writer, steps.counts), one)
    inside = writer.op("Max", writer.op("Min", place, last), writer.constant("first", 0, "int64"))
    found = _picked(writer, sequence, inside)
    return writer.op("Where", writer.unsqueezed(shown, [2, 3]), found, writer.constant("nothing", 0.0))


def _shown(writer: Writer, steps: Steps, place: str, is_backward: bool, is_zero: bool) -> str:
    if is_zero:
        return steps.mask
    if not is_backward:
        return writer.op("GreaterOrEqual", place, writer.constant("first", 0, "int64"))
    total = writer.op("ReduceSum", steps.counts, writer.integers("axis", [1]), keepdims=1)
    return writer.op("Less", place, total)


def _counted(writer: Writer, counts: str) -> str:
    """How many of the steps up to each, itself with them, count."""
    return writer.op("CumSum", counts, writer.constant("axis", 1, "int64"))


def _picked(writer: Writer, values: str, places: str) -> str:
    """(batch, steps, ...) at (batch, steps): for each item its own steps."""
    return writer.op("GatherND", values, writer.unsqueezed(places, [2]), batch_dims=1)


def _length(writer: Writer, counts: str) -> str:
    """How many steps there are."""
    ends = writer.integers("start", [1]), writer.integers("stop", [2])
    return writer.op("Slice", writer.op("Shape", counts), *ends)
