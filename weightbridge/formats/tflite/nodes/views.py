"""Operators that keep values: reshaping, turning, joining, repeating, other types."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.steps import expand_dims, plain, transpose
from weightbridge.formats.tensorflow.values import Shape
from weightbridge.formats.tflite.messages import TYPES
from weightbridge.formats.tflite.nodes.call import Call, Handler, activated


def reshape(call: Call) -> list[Node] | None:
    """An axis of length one that comes or goes is said as such: so a one-dimensional convolution is told."""
    before, after = call.shape(call.value(0)), call.shape(call.output)
    added = _added(before, after)
    if added is not None:
        return [call.node("Unsqueeze", (call.value(0),), axes=(added,))]
    removed = _added(after, before)
    if removed is not None and after is not None and len(after) > 2:
        return [call.node("Squeeze", (call.value(0),), axes=(removed,))]
    if before and after and _swaps_batch(before, after):
        return [call.node("Transpose", (call.value(0),), perm=(1, 0, *range(2, len(before))))]
    if call.value(1):
        return [call.node("Reshape", call.inputs[:2])]
    told = call.options.integers(0) if call.options else ()
    shape = call.constant("shape", told)
    return [shape, call.node("Reshape", (call.value(0), shape.outputs[0]))] if told else None


def _added(before: Shape | None, after: Shape | None) -> int | None:
    """The one axis, not the batch, of length one that is new; None for anything else."""
    if before is None or after is None or len(after) != len(before) + 1 or len(before) < 3:
        return None
    places = [i for i in range(1, len(after)) if after[i] == 1 and (*after[:i], *after[i + 1 :]) == before]
    return places[0] if places else None


def _swaps_batch(before: Shape, after: Shape) -> bool:
    """Whether a batch of one and time change their places."""
    is_swapped = before[:2] == after[1::-1] and before[2:] == after[2:]
    return is_swapped and len(before) > 2 and 1 in before[:2]


def squeeze(call: Call) -> list[Node]:
    axes = call.options.integers(0) if call.options else ()
    found: dict[str, Any] = {"axes": axes} if axes else {}
    return [call.node("Squeeze", call.inputs, **found)]


def concatenation(call: Call) -> list[Node] | None:
    axis = call.integer(0)
    return activated(call, call.byte(1), lambda output: [call.node("Concat", call.inputs, output, axis=axis)])


def cast(call: Call) -> list[Node] | None:
    target = TYPES.get(call.byte(1))
    return None if target is None else [call.node("Cast", call.inputs, to=target)]


def as_floats(call: Call) -> list[Node]:
    """QUANTIZE and DEQUANTIZE: the graph is one of floats, with what rounding does to them left out."""
    return [call.node("Identity", call.inputs[:1])]


HANDLERS: Mapping[str, Handler] = {
    "RESHAPE": reshape,
    "SQUEEZE": squeeze,
    "EXPAND_DIMS": expand_dims,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "CAST": cast,
    "QUANTIZE": as_floats,
    "DEQUANTIZE": as_floats,
    "SHAPE": plain("Shape"),
    "TILE": plain("Tile"),
    "BROADCAST_TO": plain("Expand"),
    "RANGE": plain("Range"),
}
