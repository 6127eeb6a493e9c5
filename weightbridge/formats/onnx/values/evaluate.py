"""Small integers that a graph computes from constants alone: shapes, axes, paddings. Weights are never
evaluated.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.model.tensors import Array

SMALL = 1024  # elements
INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})  # element types
NUMBERS = INTEGERS | {1, 10, 11, 16}
CASTS: dict[int, str] = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}


def is_small(header: TensorHeader) -> bool:
    """Whether a tensor is read with the structure: integers that may be a shape, and single numbers."""
    size = prod(header.dims)
    return (header.elem_type in INTEGERS and size <= SMALL) or (header.elem_type in NUMBERS and size == 1)


def read_by(node: Node) -> tuple[str, ...]:
    """The inputs whose values matter: of CastLike's second one only the type."""
    return node.inputs[:1] if node.op == "CastLike" else node.inputs


def evaluate(node: Node, numbers: Mapping[str, Array], read: Callable[[TensorHeader], Array]) -> Array | None:
    """The node's first output where all its inputs are known and it is one of the simple operations, else
    None.
    """
    operation = OPERATIONS.get(node.op)
    inputs = read_by(node)
    if operation is None or node.domain or any(v and v not in numbers for v in inputs):
        return None
    attributes = {
        k: read(v) if isinstance(v, TensorHeader) and is_small(v) else v for k, v in node.attributes.items()
    }
    try:
        with np.errstate(all="ignore"):
            found = operation(attributes, [numbers[v] if v else None for v in inputs])
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError, MemoryError):
        return (
            None  # an invalid shape computation: the value stays unknown, and the layer that needs it says so
        )
    return found if found is not None and found.size <= SMALL else None


Operation = Callable[[Mapping[str, Any], list[Any]], Array | None]


def _constant(attributes: Mapping[str, Any], _: list[Any]) -> Array | None:
    for name, dtype in (
        ("value_int", "int64"),
        ("value_ints", "int64"),
        ("value_float", "float32"),
        ("value_floats", "float32"),
    ):
        if name in attributes:
            return np.array(attributes[name], dtype)
    return None


def _filled(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    """ConstantOfShape."""
    shape = tuple(int(n) for n in inputs[0].reshape(-1))
    value = np.asarray(attributes.get("value", np.zeros(1, np.float32))).reshape(-1)
    return np.full(shape, value[0]) if prod(shape) <= SMALL else None


def _slice(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    array = inputs[0]
    parts = [np.asarray(attributes[k]) if k in attributes else None for k in ("starts", "ends", "axes")]
    given = [*inputs[1:], None, None, None, None][:4] if len(inputs) > 1 else [*parts, None]
    if given[0] is None or given[1] is None:
        return None
    starts, ends = given[0].reshape(-1).tolist(), given[1].reshape(-1).tolist()
    axes = range(len(starts)) if given[2] is None else given[2].reshape(-1).tolist()
    steps = [1] * len(starts) if given[3] is None else given[3].reshape(-1).tolist()
    index = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[int(axis)] = slice(
            int(start), None if step < 0 and end < -array.shape[int(axis)] else int(end), int(step)
        )
    return np.asarray(array[tuple(index)])


def _axes(attributes: Mapping[str, Any], inputs: list[Any]) -> tuple[int, ...] | None:
    given = attributes.get(
        "axes", inputs[1].reshape(-1).tolist() if len(inputs) > 1 and inputs[1] is not None else None
    )
    return None if given is None else tuple(int(a) for a in given)


def _unsqueeze(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    return np.expand_dims(inputs[0], _axes(attributes, inputs) or ())


def _squeeze(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    return np.asarray(np.squeeze(inputs[0], axis=_axes(attributes, inputs)))


def _range(_: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    start, end, step = (float(x.reshape(-1)[0]) for x in inputs)
    return (
        np.arange(start, end, step).astype(inputs[0].dtype)
        if step and abs((end - start) / step) <= SMALL
        else None
    )


def _divided(_: Mapping[str, Any], inputs: list[Any]) -> Array:
    a, b = inputs
    return np.asarray(a // b if np.issubdtype(a.dtype, np.integer) and np.all(b != 0) else a / b)


def _cast(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    return np.asarray(inputs[0]).astype(CASTS[attributes["to"]])


OPERATIONS: dict[str, Operation] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Slice": _slice,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Range": _range,
    "Div": _divided,
    "Cast": _cast,
    "Identity": lambda _, x: np.asarray(x[0]),
    "CastLike": lambda _, x: np.asarray(x[0]),
    "Sqrt": lambda _, x: np.asarray(np.sqrt(x[0])),
    "Pow": lambda _, x: np.asarray(np.power(x[0], x[1])),
    "Reciprocal": lambda _, x: np.asarray(np.reciprocal(x[0])),
    "Neg": lambda _, x: np.asarray(-x[0]),
    "Add": lambda _, x: np.asarray(x[0] + x[1]),
    "Sub": lambda _, x: np.asarray(x[0] - x[1]),
    "Mul": lambda _, x: np.asarray(x[0] * x[1]),
    "Mod": lambda _, x: np.asarray(np.mod(x[0], x[1])),
    "Equal": lambda _, x: np.asarray(x[0] == x[1]),
    "Where": lambda _, x: np.asarray(np.where(x[0], x[1], x[2])),
    "Expand": lambda _, x: np.broadcast_to(
        x[0], np.broadcast_shapes(x[0].shape, tuple(x[1].reshape(-1).tolist()))
    ),
    "Concat": lambda a, x: np.concatenate(x, axis=int(a["axis"])),
    "Gather": lambda a, x: np.take(x[0], x[1].astype(np.int64), axis=int(a.get("axis", 0))),
    "Transpose": lambda a, x: np.transpose(x[0], a.get("perm")),
    "Reshape": lambda _, x: np.reshape(x[0], x[1].reshape(-1).tolist()),
}
