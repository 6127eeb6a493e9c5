"""Rows of a table by numbers that stand in the file (a bias of relative positions): an Embedding of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.constants import written
from weightbridge.converting.from_graph.indexing import Cut, cut_out
from weightbridge.converting.from_graph.layout import plain, transposed
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
        made = _embedded(call, tensor, numbers, is_turned=bool(told["is_turned"]))
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


def _embedded(call: Call, tensor: Tensor, numbers: Array, *, is_turned: bool) -> Value:
    count, width = tensor.shape[::-1] if is_turned else tensor.shape
    name = tensor.name.removesuffix(".weight")
    places = _places(call, numbers, f"{name}_places")
    layer, number = call.sharing.tables.get(tensor.name), 0
    if layer is None:
        layer = call.writer.layer("Embedding", name, {"input_dim": count, "output_dim": width}, places)
        call.sharing.tables[tensor.name] = layer
        pattern = "e v -> v e" if is_turned else ""
        call.writer.weight(Weight(layer, "embeddings", (tensor.name,), (count, width), pattern))
        call.writer.rewrote(SAID, layer)
    else:
        number = call.writer.called_again(layer, places)
    return Value(layer, number, 0, plain([None, *numbers.shape, width]))


def _places(call: Call, numbers: Array, hint: str) -> Value:
    """The numbers of each item: zeros of one place of it, plus these. Keras has no layer without an input."""
    value = as_source(call.writer, call.first, hint)
    cuts: dict[int, Cut | int] = dict.fromkeys(range(1, value.layout.rank), (0, 1, 1))
    name = cut_out(call.writer, value, {**cuts, 1: 0}, f"{hint}_item")
    ones = plain([None, *(1 for _ in numbers.shape)])
    name = call.writer.operation(
        "numpy.ZerosLike", f"{hint}_zeros", {"dtype": "int32"}, [Value(name, 0, 0, ones)]
    )
    given = [Value(name, 0, 0, ones, "int32"), written(numbers[None])]
    name = call.writer.operation("numpy.Add", hint, {}, given)
    return Value(name, 0, 0, plain([None, *numbers.shape]), "int32")
