"""What is done for every time step: batch and steps as one axis inside the wrapper."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.model.graph import Shape


def folded(writer: Writer, value: Value) -> Value:
    """(batch, steps, ...) -> (batch x steps, ...)"""
    source, inner = as_keras(writer, value), value.shape[2:]
    shape = (None, *inner)
    if None not in inner:
        name = writer.op("Reshape", source.name, writer.integers("shape", [-1, *map(int, inner)]))  # type: ignore[arg-type]
    else:
        name = _reshaped(
            writer, source.name, [writer.integers("folded", [-1]), _lengths(writer, source, 2, 99)]
        )
    return Value(name, shape, straight(len(shape)), value.dtype)


def _unfolded(call: Call) -> Value:
    """The wrapper itself. steps: what it is fed, which still has both axes."""
    writer, value, steps = call.writer, as_keras(call.writer, call.first), call.steps
    assert steps is not None, "a wrapper for time steps has them"
    if writer.is_undone(value.name, steps.name):
        return steps  # the layer inside computes nothing
    shape: Shape = (*steps.shape[:2], *value.shape[1:])
    if None not in shape[1:]:
        name = writer.op("Reshape", value.name, writer.integers("shape", [-1, *map(int, shape[1:])]))  # type: ignore[arg-type]
    else:
        outer, inner = _lengths(writer, as_keras(writer, steps), 0, 2), _lengths(writer, value, 1, 99)
        name = _reshaped(writer, value.name, [outer, inner])
    return Value(name, shape, straight(len(shape)), value.dtype, steps.mask)


def _lengths(writer: Writer, value: Value, start: int, stop: int) -> str:
    """A run of a value's lengths, as numbers in the graph."""
    shape = writer.op("Shape", value.name)
    ends = [writer.integers(hint, [n]) for hint, n in (("start", start), ("stop", stop), ("axis", 0))]
    return writer.op("Slice", shape, *ends)


def _reshaped(writer: Writer, name: str, lengths: list[str]) -> str:
    return writer.op("Reshape", name, writer.op("Concat", *lengths, axis=0))


CLASSES: Mapping[str, Builder] = {"TimeDistributed": _unfolded}
