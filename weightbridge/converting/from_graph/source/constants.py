"""Constants that stand in the file, as Keras writes arrays in a configuration."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Layout
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Array

LARGEST = 3.4028234663852886e38  # of float32
MOST = 1 << 16  # numbers of one array in a configuration, which is text
CARRIED = "constants of the file stand in the model's configuration, and are not trained"


def is_input(told: Any) -> bool:
    """Whether an argument is a value that the layer is fed, and no constant."""
    return isinstance(told, dict) and "input" in told


def numbers_of(call: Call, told: Any) -> Any:
    """A number, or an array of numbers: those that stand in the graph, or a tensor's own.

    Raises Unsupported where they do not follow from the file.
    """
    if told is None:
        raise Unsupported("has a constant that does not follow from the file")
    if isinstance(told, tuple):
        return np.asarray(told)
    return _of_tensor(call, told) if isinstance(told, dict) else told


def _of_tensor(call: Call, told: dict[str, Any]) -> Array:
    tensor = call.tensor(str(told.get("tensor")))
    if tensor is None:
        raise Unsupported("has a constant that does not follow from the file")
    if tensor.size > MOST:
        raise Unsupported(
            f"has a constant of {tensor.size} numbers, {tensor.name}: more than a layer is told"
        )
    call.writer.carried(tensor.name, CARRIED)
    values = np.asarray(tensor.load())
    rows = told.get("rows")
    return values if rows is None else np.asarray(values[list(rows)])


def array(numbers: Any, layout: Layout, order: Sequence[int]) -> Any:
    """A number as it is; an array with its axes as Keras has those of the value beside it."""
    if isinstance(numbers, np.ndarray) and numbers.ndim == 0:
        return numbers.item()
    if not isinstance(numbers, np.ndarray):
        return numbers
    if numbers.ndim > layout.rank:
        raise Unsupported("has a constant of more axes than its input")
    spread = numbers.reshape((1,) * (layout.rank - numbers.ndim) + numbers.shape)
    if spread.shape[order[0]] != 1:
        raise Unsupported("has a constant with a number for each item of a batch")
    return written(np.transpose(spread, tuple(order)))


def written(values: Any) -> dict[str, Any]:
    dtype = "float32" if values.dtype.kind == "f" else "int32" if values.dtype.kind in "iu" else "bool"
    return {"class_name": "__numpy__", "config": {"value": values.tolist(), "dtype": dtype}}
