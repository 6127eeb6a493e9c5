"""Small integers that a graph computes from constants: shapes, axes, paddings; never weights."""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.model.tensors import Array

SMALL = 1024  # elements
INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})  # element types
NUMBERS = INTEGERS | {1, 10, 11, 16}
CASTS: dict[int, str] = {1: "float32", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64"}
CONSTANT_TYPES = {  # the attributes of a Constant that are plain numbers
    "value_int": "int64",
    "value_ints": "int64",
    "value_float": "float32",
    "value_floats": "float32",
}


Operation = Callable[[Mapping[str, Any], list[Any]], Array | None]


def is_small(header: TensorHeader) -> bool:
    """Whether a tensor is read with the structure: integers that may be a shape, and single numbers."""
    size = prod(header.dims)
    may_be_shape = header.elem_type in INTEGERS and size <= SMALL
    is_number = header.elem_type in NUMBERS and size == 1
    return may_be_shape or is_number


def read_by(node: Node) -> tuple[str, ...]:
    """The inputs whose values matter: of CastLike's second one only the type."""
    return node.inputs[:1] if node.op == "CastLike" else node.inputs


def evaluate(node: Node, numbers: Mapping[str, Array], read: Callable[[TensorHeader], Array]) -> Array | None:
    """The first output of a simple operation whose inputs are all known; None for any other node."""
    operation = OPERATIONS.get(node.op)
    values = read_by(node)
    if operation is None or node.domain or not _are_known(values, numbers):
        return None
    attributes = {name: _read_small(value, read) for name, value in node.attributes.items()}
    inputs = [numbers[value] if value else None for value in values]
    try:
        with np.errstate(all="ignore"):
            result = operation(attributes, inputs)
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError, MemoryError):
        # an invalid shape computation: the value stays unknown, and the layer that needs it says so
        return None
    return result if result is not None and result.size <= SMALL else None


def _are_known(values: Iterable[str], numbers: Mapping[str, Array]) -> bool:
    """Whether there are numbers for all of them; an input that is left out has an empty name."""
    return all(value in numbers for value in values if value)


def _read_small(value: Any, read: Callable[[TensorHeader], Array]) -> Any:
    """An attribute's value, as an array where it is a small tensor."""
    return read(value) if isinstance(value, TensorHeader) and is_small(value) else value


def _constant(attributes: Mapping[str, Any], _: list[Any]) -> Array | None:
    for name, dtype in CONSTANT_TYPES.items():
        if name in attributes:
            return np.array(attributes[name], dtype)
    return None


def _filled(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    """ConstantOfShape."""
    shape = tuple(int(n) for n in inputs[0].reshape(-1))
    value = attributes.get("value", np.zeros(1, np.float32))
    fill = np.asarray(value).reshape(-1)[0]
    return np.full(shape, fill) if prod(shape) <= SMALL else None


def _slice(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    array = inputs[0]
    starts, ends, axes, steps = _slice_arguments(attributes, inputs)
    if starts is None or ends is None:
        return None
    starts, ends = starts.reshape(-1).tolist(), ends.reshape(-1).tolist()
    axes = range(len(starts)) if axes is None else axes.reshape(-1).tolist()
    steps = [1] * len(starts) if steps is None else steps.reshape(-1).tolist()
    index = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        reaches_start = step < 0 and end < -array.shape[int(axis)]
        stop = None if reaches_start else int(end)
        index[int(axis)] = slice(int(start), stop, int(step))
    return np.asarray(array[tuple(index)])


def _slice_arguments(attributes: Mapping[str, Any], inputs: list[Any]) -> list[Any]:
    """Starts, ends, axes and steps, from the inputs, or the attributes of older opsets."""
    if len(inputs) > 1:
        return [*inputs[1:], None, None, None, None][:4]
    names = ("starts", "ends", "axes")
    stated = [np.asarray(attributes[name]) if name in attributes else None for name in names]
    return [*stated, None]


def _axes(attributes: Mapping[str, Any], inputs: list[Any]) -> tuple[int, ...] | None:
    has_input = len(inputs) > 1 and inputs[1] is not None
    from_input = inputs[1].reshape(-1).tolist() if has_input else None
    axes = attributes.get("axes", from_input)
    return None if axes is None else tuple(int(axis) for axis in axes)


def _unsqueeze(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    axes = _axes(attributes, inputs) or ()
    return np.expand_dims(inputs[0], axes)


def _squeeze(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    axes = _axes(attributes, inputs)
    return np.asarray(np.squeeze(inputs[0], axis=axes))


def _range(_: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    start, end, step = (float(x.reshape(-1)[0]) for x in inputs)
    if not step or abs((end - start) / step) > SMALL:
        return None
    return np.arange(start, end, step).astype(inputs[0].dtype)


def _divided(_: Mapping[str, Any], inputs: list[Any]) -> Array:
    dividend, divisor = inputs
    is_integer = np.issubdtype(dividend.dtype, np.integer) and np.all(divisor != 0)
    quotient = dividend // divisor if is_integer else dividend / divisor
    return np.asarray(quotient)


def _cast(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    dtype = CASTS[attributes["to"]]
    return np.asarray(inputs[0]).astype(dtype)


def _expand(_: Mapping[str, Any], inputs: list[Any]) -> Array:
    array, shape = inputs[0], tuple(inputs[1].reshape(-1).tolist())
    return np.broadcast_to(array, np.broadcast_shapes(array.shape, shape))


def _product(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    axes = _axes(attributes, inputs)
    return np.asarray(np.prod(inputs[0], axis=axes, keepdims=bool(attributes.get("keepdims", 1))))


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
    "Log": lambda _, x: np.asarray(np.log(x[0])),
    "Exp": lambda _, x: np.asarray(np.exp(x[0])),
    "Abs": lambda _, x: np.asarray(np.abs(x[0])),
    "Add": lambda _, x: np.asarray(x[0] + x[1]),
    "Sub": lambda _, x: np.asarray(x[0] - x[1]),
    "Mul": lambda _, x: np.asarray(x[0] * x[1]),
    "Mod": lambda _, x: np.asarray(np.mod(x[0], x[1])),
    "Equal": lambda _, x: np.asarray(x[0] == x[1]),
    "Where": lambda _, x: np.asarray(np.where(x[0], x[1], x[2])),
    "Expand": _expand,
    "Concat": lambda a, x: np.concatenate(x, axis=int(a["axis"])),
    "Gather": lambda a, x: np.take(x[0], x[1].astype(np.int64), axis=int(a.get("axis", 0))),
    "GatherElements": lambda a, x: np.take_along_axis(x[0], x[1], axis=int(a.get("axis", 0))),
    "Transpose": lambda a, x: np.transpose(x[0], a.get("perm")),
    "Max": lambda _, x: np.asarray(reduce(np.maximum, x)),
    "Min": lambda _, x: np.asarray(reduce(np.minimum, x)),
    "ReduceProd": _product,
    "Reshape": lambda _, x: np.reshape(x[0], x[1].reshape(-1).tolist()),
}
