"""Small integers that a graph computes from constants: shapes, axes, paddings; never weights."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.model.tensors import Array

SMALL = 1024  # elements of a stored tensor that is read with the structure
MOST = 1 << 16  # elements of what is computed: the mask of 256 steps
INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})  # element types
TABLES = frozenset({7, 9})  # whole numbers that are never weights: masks and places
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
    may_be_shape = header.elem_type in INTEGERS and size <= (MOST if header.elem_type in TABLES else SMALL)
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
            result = operation(attributes, inputs) if _is_bounded(node, inputs) else None
    except (ValueError, IndexError, KeyError, TypeError, ZeroDivisionError, OverflowError, MemoryError):
        # an invalid shape computation: the value stays unknown, and the layer that needs it says so
        return None
    return result if result is not None and result.size <= MOST else None


def _is_bounded(node: Node, inputs: Sequence[Any]) -> bool:
    """Whether the result has no more elements than may be, told before it is computed."""
    shapes = [array.shape for array in inputs if array is not None]
    if node.op in BROADCASTING:
        return bool(prod(np.broadcast_shapes(*shapes)) <= MOST)
    if node.op == "Gather":
        length = shapes[0][int(node.attributes.get("axis", 0))]
        return bool(prod(shapes[0]) // max(length, 1) * prod(shapes[1]) <= MOST)
    return bool(sum(map(prod, shapes)) <= 2 * MOST)


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
    return np.full(shape, fill) if prod(shape) <= MOST else None


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
    if not step or abs((end - start) / step) > MOST:
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


def _expand(_: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    array, shape = inputs[0], tuple(inputs[1].reshape(-1).tolist())
    whole = np.broadcast_shapes(array.shape, shape)
    return np.broadcast_to(array, whole) if prod(whole) <= MOST else None


def _triangle(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    """Trilu."""
    diagonal = int(inputs[1].reshape(-1)[0]) if len(inputs) > 1 and inputs[1] is not None else 0
    cut = np.triu if attributes.get("upper", 1) else np.tril
    return np.asarray(cut(inputs[0], diagonal))


def _tiled(_: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    array, repeats = inputs[0], inputs[1].reshape(-1).tolist()
    return np.tile(array, repeats) if array.size * prod(repeats) <= MOST else None


def _einsum(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    equation = attributes["equation"]
    equation = equation.decode() if isinstance(equation, bytes) else str(equation)
    is_bounded = "." not in equation and prod(array.size for array in inputs) <= MOST
    return np.asarray(np.einsum(equation, *inputs)) if is_bounded else None


def _matmul(_: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    left, right = inputs
    work = left.size * (right.shape[-1] if right.ndim > 1 else 1)
    return np.asarray(np.matmul(left, right)) if work <= MOST else None


def _product(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    axes = _axes(attributes, inputs)
    return np.asarray(np.prod(inputs[0], axis=axes, keepdims=bool(attributes.get("keepdims", 1))))


def _summed_up(attributes: Mapping[str, Any], inputs: list[Any]) -> Array | None:
    """CumSum, in the one way that shapes and masks are computed."""
    if attributes.get("exclusive") or attributes.get("reverse"):
        return None
    array = inputs[0]
    return np.cumsum(array, axis=int(inputs[1].reshape(-1)[0]), dtype=array.dtype)


def _flattened(attributes: Mapping[str, Any], inputs: list[Any]) -> Array:
    array, axis = inputs[0], int(attributes.get("axis", 1))
    axis = axis + array.ndim if axis < 0 else axis
    return np.reshape(array, (prod(array.shape[:axis]), prod(array.shape[axis:])))


BROADCASTING = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Where", "And", "Or", "Xor",
    "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
})  # fmt: skip
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
    "Less": lambda _, x: np.asarray(x[0] < x[1]),
    "LessOrEqual": lambda _, x: np.asarray(x[0] <= x[1]),
    "Greater": lambda _, x: np.asarray(x[0] > x[1]),
    "GreaterOrEqual": lambda _, x: np.asarray(x[0] >= x[1]),
    "And": lambda _, x: np.asarray(np.logical_and(x[0], x[1])),
    "Or": lambda _, x: np.asarray(np.logical_or(x[0], x[1])),
    "Xor": lambda _, x: np.asarray(np.logical_xor(x[0], x[1])),
    "Not": lambda _, x: np.asarray(np.logical_not(x[0])),
    "Floor": lambda _, x: np.asarray(np.floor(x[0])),
    "Ceil": lambda _, x: np.asarray(np.ceil(x[0])),
    "Sin": lambda _, x: np.asarray(np.sin(x[0])),
    "Cos": lambda _, x: np.asarray(np.cos(x[0])),
    "Trilu": _triangle,
    "Einsum": _einsum,
    "Tile": _tiled,
    "MatMul": _matmul,
    "Where": lambda _, x: np.asarray(np.where(x[0], x[1], x[2])),
    "Expand": _expand,
    "Concat": lambda a, x: np.concatenate(x, axis=int(a["axis"])),
    "Gather": lambda a, x: np.take(x[0], x[1].astype(np.int64), axis=int(a.get("axis", 0))),
    "GatherElements": lambda a, x: np.take_along_axis(x[0], x[1], axis=int(a.get("axis", 0))),
    "Transpose": lambda a, x: np.transpose(x[0], a.get("perm")),
    "Max": lambda _, x: np.asarray(reduce(np.maximum, x)),
    "Min": lambda _, x: np.asarray(reduce(np.minimum, x)),
    "ReduceProd": _product,
    "CumSum": _summed_up,
    "Flatten": _flattened,
    "Reshape": lambda _, x: np.reshape(x[0], x[1].reshape(-1).tolist()),
}
