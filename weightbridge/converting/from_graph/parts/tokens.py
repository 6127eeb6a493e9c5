"""A weight or a constant that stands beside a value in a Concat, the same for every item of a batch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import as_source, one_by_one
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.parts.indexing import cut_out
from weightbridge.converting.from_graph.parts.weighted import weighted
from weightbridge.converting.from_graph.source.constants import array, numbers_of
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array, Tensor

STEPS = 3  # axes of a sequence: batch, steps, channels


def beside(call: Call, told: Any, like: Value, axis: int) -> Value:
    """A weight of a sequence is a token (that of a class); all else is a constant of the configuration."""
    tensor = call.tensor(str(told["tensor"])) if isinstance(told, dict) and not told.get("rows") else None
    if tensor is not None and axis == 1 and len(tensor.shape) <= like.layout.rank == STEPS:
        return _token(call, tensor)
    return _constant(call, np.asarray(numbers_of(call, told)), like, axis)


def _token(call: Call, tensor: Tensor) -> Value:
    """(1, tokens, channels) as a value: as many steps of the value beside it, times 0, plus the weight.

    Keras has no layer that gives a weight alone.
    """
    value = as_source(call.writer, call.first, call.name)
    items, count, _ = (*(1,) * (STEPS - len(tensor.shape)), *tensor.shape)
    length, count = value.layout.source_shape[1], count if items == 1 else 0
    if length is None or not 0 < count <= length:
        raise Unsupported("joins a value with a weight of more steps than it has")
    cut = call.writer.layer("Cropping1D", f"{tensor.name}_place", {"cropping": [0, length - count]}, value)
    shape = (None, count, value.layout.source_shape[2])
    place = Value(cut, 0, 0, plain(shape, range(3)), value.dtype)
    none = call.writer.layer("Rescaling", f"{tensor.name}_zero", {"scale": 0.0, "offset": 0.0}, place)
    layer = replace(call.layer, name=tensor.name, class_name="Add")
    fed = replace(call, layer=layer, inputs=(place.after(none),))
    return weighted(fed, tensor, is_first=False)


def _constant(call: Call, numbers: Array, like: Value, axis: int) -> Value:
    """One place of the value beside it, times 0, plus the numbers."""
    layout, order = like.layout, one_by_one(like.layout)
    if numbers.ndim != layout.rank or not _fits(numbers.shape, layout.source_shape, axis):
        raise Unsupported(f"joins a value with a constant of shape {numbers.shape}, which does not fit it")
    cut = cut_out(call.writer, like, {order.index(axis): (0, 1, 1)}, f"{call.name}_place")
    none = call.writer.layer("Rescaling", f"{call.name}_zero", {"scale": 0.0, "offset": 0.0}, like.after(cut))
    given = [like.after(none), array(numbers, layout, order)]
    name = call.writer.operation("numpy.Add", f"{call.name}_constant", {}, given)
    shape = list(layout.source_shape)
    shape[axis] = numbers.shape[axis]
    return Value(name, 0, 0, plain(shape, order), like.dtype)


def _fits(shape: Sequence[int], known: Sequence[int | None], axis: int) -> bool:
    """Whether the numbers are those of one item, as long as the value but along the axis of the Concat."""
    rest = [n for n in range(1, len(shape)) if n != axis]
    return axis > 0 and shape[0] == 1 and all(shape[n] == known[n] for n in rest)
