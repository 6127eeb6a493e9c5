"""Values cut into parts, and turned round along an axis."""

from collections.abc import Sequence

from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer

END = 1 << 31  # beyond every axis


def sliced(
    writer: Writer,
    name: str,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int] = (),
) -> str:
    given = [("starts", starts), ("ends", ends), ("axes", axes), *([("steps", steps)] if steps else [])]
    return writer.op("Slice", name, *(writer.integers(hint, values) for hint, values in given))


def flipped(writer: Writer, value: Value, axis: int) -> Value:
    """From the last to the first along one of Keras's axes."""
    return value.named(sliced(writer, value.name, [-1], [-END], [value.place(axis)], [-1]))


def split(writer: Writer, name: str, axis: int, parts: int) -> tuple[str, ...]:
    """Equal parts along an axis of the graph."""
    count = parts if writer.opset >= 18 else None
    return writer.ops("Split", (name,), parts, axis=axis, num_outputs=count)
