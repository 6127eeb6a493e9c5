"""Masks: which steps count, which keys a query may see."""

from collections.abc import Sequence

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras, with_ones
from weightbridge.converting.to_onnx.call import Call
from weightbridge.converting.to_onnx.elements import binary, cast, unary
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.converting.to_onnx.writer import Writer

HIDDEN = -1e9  # what Keras puts in the place of a score that does not count


def mask_of(call: Call) -> Value | None:
    """Which steps count: as the layer is told, else as what it is fed says.

    Keras 3 hands no mask on to a layer that is given states as well (keras/src/layers/layer.py).
    """
    told = call.given("mask")
    is_deaf = call.node.call.modern and call.given("initial_state.0") is not None
    mask = told or (None if is_deaf else call.first.mask)
    return None if mask is None else as_keras(call.writer, mask)


def over_queries(writer: Writer, mask: Value | None, rank: int) -> Value | None:
    """(batch, queries) for scores of this rank, keys last."""
    return None if mask is None else with_ones(writer, mask, [*range(1, rank - 2), rank - 1])


def over_keys(writer: Writer, mask: Value | None, rank: int) -> Value | None:
    return None if mask is None else with_ones(writer, mask, list(range(1, rank - 1)))


def combined(writer: Writer, masks: Sequence[Value]) -> Value | None:
    """Where all of them are true."""
    if not masks:
        return None
    first, *others = masks
    for mask in others:
        first = binary(writer, "And", first, mask)
    return first


def causal(writer: Writer, scores: Value) -> Value:
    """Which keys are no later than the query."""
    queries, keys = scores.shape[-2:]
    shape = (*(1 for _ in scores.shape[:-2]), queries, keys)
    if queries is not None and keys is not None:
        lower = np.tril(np.ones((queries, keys), bool)).reshape(shape)  # type: ignore[arg-type]  # lengths
        return Value(writer.constant("causal", lower, "bool"), shape, straight(len(shape)), "bool")
    rows = writer.unsqueezed(_counted(writer, scores, -2), [1])
    name = writer.op("GreaterOrEqual", rows, _counted(writer, scores, -1))
    name = writer.unsqueezed(name, list(range(len(shape) - 2)))
    return Value(name, shape, straight(len(shape)), "bool")


def masked_softmax(writer: Writer, scores: Value, mask: Value | None, *, emptied: bool = False) -> Value:
    """emptied: what is hidden gets nothing, also where all of it is hidden."""
    axis = scores.rank - 1
    if mask is None:
        return unary(writer, "Softmax", scores, axis=axis)
    hidden = writer.op("Where", mask.name, scores.name, writer.constant("hidden", HIDDEN))
    weights = writer.op("Softmax", hidden, axis=axis)
    if not emptied:
        return scores.named(weights)
    return scores.named(writer.op("Where", mask.name, weights, writer.constant("nothing", 0.0)))


def masked_mean(writer: Writer, value: Value, mask: Value, *, keepdims: bool) -> Value:
    """Over the steps that count."""
    value = as_keras(writer, value)
    counted = cast(writer, mask, "float32")
    name = writer.unsqueezed(counted.name, [2])
    weights = Value(name, (*mask.shape, 1), straight(3))
    total = reduced(writer, "ReduceSum", binary(writer, "Mul", value, weights), [1], keepdims=keepdims)
    count = reduced(writer, "ReduceSum", weights, [1], keepdims=keepdims)
    return binary(writer, "Div", total, count)


def _counted(writer: Writer, value: Value, axis: int) -> str:
    """0, 1, 2, ... as long as an axis of the graph's value."""
    shape = writer.op("Shape", value.name)
    length = writer.op("Gather", shape, writer.constant("axis", axis % value.rank, "int64"), axis=0)
    numbers = [writer.constant(hint, n, "int64") for hint, n in (("first", 0), ("step", 1))]
    return writer.op("Range", numbers[0], length, numbers[1])
