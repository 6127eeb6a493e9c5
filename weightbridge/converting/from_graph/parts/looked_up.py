"""Rows of a table by numbers that stand in the file (a bias of relative positions): an Embedding of them."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import plain, transposed
from weightbridge.converting.from_graph.parts.indexing import Cut, cut_out
from weightbridge.converting.from_graph.source.constants import written
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array, Tensor

SAID = "rows of a table by fixed numbers are an Embedding of these, which Keras trains"


def is_looked_up(told: Any) -> bool:
    return isinstance(told, dict) and "numbers" in told


def looked_up(call: Call, told: Mapping[str, Any]) -> Value:
    """The rows as a value with as many axes as the one beside it, the same for every item."""
    tensor, axis = call.needed(str(told["tensor"])), int(told["axis"])
    numbers = _of_item(np.asarray(told["numbers"]), axis, call.first.layout.rank)
    key = (tensor.name, numbers.shape, numbers.tobytes())
    made = call.sharing.looked_up.get(key)
    if made is None:
        made = embedded(call, tensor, numbers, is_turned=bool(told["is_turned"]))
        call.sharing.looked_up[key] = made
    order = list(range(made.layout.rank))
    order.insert(len(order) + axis, order.pop())
    return made.seen(transposed(made.layout, order))


def _of_item(numbers: Array, axis: int, rank: int) -> Array:
    """Without the axis of the batch, with all axes of a value but that and the one of what a row holds."""
    missing = rank - 1 - numbers.ndim
    has_batch = not missing and numbers.shape[0] > 1
    if missing < 0 or has_batch or -axis >= rank:
        raise Unsupported("joins the batch with rows of a table")
    return numbers[0] if not missing else numbers.reshape((1,) * (missing - 1) + numbers.shape)


def embedded(call: Call, tensor: Tensor, numbers: Array, *, is_turned: bool) -> Value:
    shape = tensor.shape if is_turned else _table(tensor)
    count, width = shape[::-1] if is_turned else shape
    name = tensor.name.removesuffix(".weight")
    places = item_numbers(call, numbers, f"{name}_places", "int32")
    layer, number = call.sharing.tables.get(tensor.name), 0
    if layer is None:
        layer = call.writer.layer("Embedding", name, {"input_dim": count, "output_dim": width}, places)
        call.sharing.tables[tensor.name] = layer
        pattern = "e v -> v e" if is_turned else _rows_alone(tensor.shape)
        call.writer.weight(Weight(layer, "embeddings", (tensor.name,), (count, width), pattern))
        call.writer.rewrote(SAID, layer)
    else:
        number = call.writer.called_again(layer, places)
    return Value(layer, number, 0, plain([None, *numbers.shape, width]))


def _table(tensor: Tensor) -> tuple[int, int]:
    """The rows of a tensor that has at most one long axis before its last one, and how long they are."""
    *counts, width = (1, *tensor.shape)
    if sum(count > 1 for count in counts) > 1:
        raise Unsupported(f"has a weight {tensor.name} of shape {tensor.shape}, which is no table of rows")
    return max(counts), width


def _rows_alone(shape: tuple[int, ...]) -> str:
    """The pattern that drops axes of length one before the rows: "1 v e -> v e"; "" where there are none."""
    if len(shape) == 2:
        return ""
    rows = next((n for n, length in enumerate(shape[:-1]) if length > 1), len(shape) - 2)
    names = ["v" if n == rows else "1" for n in range(len(shape) - 1)]
    return f"{' '.join([*names, 'e'])} -> {'v' if rows >= 0 else '1'} e"


def item_numbers(call: Call, numbers: Array, hint: str, dtype: str) -> Value:
    """The numbers of each item: zeros of one place of it, plus these. Keras has no layer without an input."""
    value = as_source(call.writer, call.first, hint)
    gone = max(value.layout.rank - 1 - numbers.ndim, 0)
    axes = range(1, value.layout.rank)
    cuts: dict[int, Cut | int] = {axis: 0 if axis <= gone else (0, 1, 1) for axis in axes}
    if cuts:
        name = cut_out(call.writer, value, cuts, f"{hint}_item")
        value = Value(name, 0, 0, plain([None, *(1 for _ in range(len(axes) - gone))]), value.dtype)
    if value.layout.rank - 1 < numbers.ndim:
        config = {"target_shape": [1] * numbers.ndim}
        ones = plain([None, *(1 for _ in numbers.shape)])
        value = value.after(call.writer.layer("Reshape", f"{hint}_axes", config, value)).seen(ones)
    name = call.writer.operation("numpy.ZerosLike", f"{hint}_zeros", {"dtype": dtype}, [value])
    zeros = Value(name, 0, 0, value.layout, dtype)
    if not numbers.any() and prod(numbers.shape) == 1:
        return zeros
    name = call.writer.operation("numpy.Add", hint, {}, [zeros, written(numbers[None])])
    return Value(name, 0, 0, plain([None, *numbers.shape]), dtype)
