"""Bidirectional: both directions by one of ONNX's nodes, or each for itself."""

from collections.abc import Mapping
from typing import Any

from weightbridge.converting.to_onnx.arrange import transpose
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import binary, with_number
from weightbridge.converting.to_onnx.functions.slices import flipped, split
from weightbridge.converting.to_onnx.layers.merging import concatenated
from weightbridge.converting.to_onnx.sequences.recurrent_node import STEPS_FIRST, run_of
from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer


def _both_ways(call: Call) -> tuple[Value, ...]:
    return _joined_parts(call) if call.parts else _by_one_node(call)


def _joined_parts(call: Call) -> tuple[Value, ...]:
    """Directions that have been drawn as layers of their own; the backward one is turned round again."""
    if call.given("initial_state.0") is not None:
        raise call.refused("is given states, and has directions that no node of ONNX joins")
    (forward, *one), (backward, *other) = call.parts
    is_sequence = bool(call.node.layer.layers[0].config.get("return_sequences"))
    backward = flipped(call.writer, backward, 1) if is_sequence else backward
    mode = call.config.get("merge_mode", "concat")
    merged = (forward, backward) if mode is None else (_by_mode(call, mode, forward, backward),)
    return (*merged, *one, *other)


def _by_mode(call: Call, mode: str, forward: Value, backward: Value) -> Value:
    writer = call.writer
    if mode == "concat":
        joined = concatenated(writer, (forward, backward), forward.rank - 1)
        return joined.named(joined.name, mask=forward.mask)
    return _of_both(writer, mode, forward, backward)


def _by_one_node(call: Call) -> tuple[Value, ...]:
    """Both directions by one node; the backward one's sequence is as long as it came, not turned round."""
    forward, backward = (call.source.by_name[name.partition("#")[0]] for name in call.node.parts)
    settings = forward.settings
    inner = call.of_layer(forward)
    run, writer = run_of(inner, (forward, backward)), call.writer
    units, batch, steps = int(settings["units"]), call.first.shape[0], call.first.shape[1]
    mode = call.config.get("merge_mode", "concat")
    if settings["return_sequences"]:
        shape, order = (batch, steps, units), STEPS_FIRST
        merged = _merged(call, run.sequence, 1, Value("", shape, order, mask=call.first.mask), mode)
    else:
        merged = _merged(call, run.last, 0, Value("", (batch, units), (0, 1)), mode)
    if not settings.get("return_state"):
        return merged
    by_state = [split(writer, name, 0, 2) for name in run.states]
    states = [by_state[n][direction] for direction in (0, 1) for n in range(len(by_state))]
    axes = writer.integers("direction", [0])
    return (*merged, *(Value(writer.op("Squeeze", name, axes), (batch, units), (0, 1)) for name in states))


def _merged(call: Call, name: str, axis: int, one: Value, mode: Any) -> tuple[Value, ...]:
    """Two directions along an axis become one value, or stay two. one: the shape of a direction alone."""
    writer = call.writer
    if mode == "concat":
        places = (0, 2, 1, 3) if axis else (1, 0, 2)
        units = 2 * int(one.shape[-1] or 0)
        name = transpose(writer, name, places)
        lengths = (*one.lengths[:-1], units)
        name = writer.op("Reshape", name, writer.integers("shape", [*(0 for _ in lengths[:-1]), units]))
        return (one.named(name, shape=(*one.shape[:-1], units)),)
    axes = writer.integers("direction", [axis])
    parts = [one.named(writer.op("Squeeze", part, axes)) for part in split(writer, name, axis, 2)]
    if mode is None:
        return tuple(parts)
    return (_of_both(writer, mode, *parts),)


def _of_both(writer: Writer, mode: Any, forward: Value, backward: Value) -> Value:
    """The product, the sum or the mean."""
    joined = binary(writer, "Mul" if mode == "mul" else "Add", forward, backward)
    return with_number(writer, "Mul", joined, 0.5, "half") if mode == "ave" else joined


CLASSES: Mapping[str, Builder] = {"Bidirectional": _both_ways}
