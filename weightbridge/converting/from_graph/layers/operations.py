"""What Keras has no layer for: its own operations between layers, as it saves `x + y`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.merging import aligned, broadcast
from weightbridge.converting.from_graph.layout import Layout, Length, plain
from weightbridge.converting.from_graph.parts.looked_up import is_looked_up, looked_up
from weightbridge.converting.from_graph.parts.weighted import weighted
from weightbridge.converting.from_graph.source.constants import array, is_input, numbers_of
from weightbridge.converting.from_graph.source.parameters import is_trained
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

UNARY: Mapping[str, str] = {
    "Sqrt": "numpy.Sqrt", "Exp": "numpy.Exp", "Log": "numpy.Log", "Neg": "numpy.Negative",
    "Abs": "numpy.Absolute", "Erf": "math.Erf", "Reciprocal": "numpy.Reciprocal",
    "Floor": "numpy.Floor", "Ceil": "numpy.Ceil",
    "Round": "numpy.Round", "Sin": "numpy.Sin", "Cos": "numpy.Cos", "Tan": "numpy.Tan", "Sign": "numpy.Sign",
    "Asin": "numpy.Arcsin", "Acos": "numpy.Arccos", "Atan": "numpy.Arctan", "Sinh": "numpy.Sinh",
    "Cosh": "numpy.Cosh", "Not": "numpy.LogicalNot", "IsNaN": "numpy.Isnan", "Sigmoid": "nn.Sigmoid",
    "Tanh": "numpy.Tanh",
}  # fmt: skip
BINARY: Mapping[str, str] = {
    "Add": "numpy.Add", "Sub": "numpy.Subtract", "Mul": "numpy.Multiply", "Div": "numpy.Divide",
    "Pow": "numpy.Power", "Max": "numpy.Maximum", "Min": "numpy.Minimum", "Mod": "numpy.Mod",
    "Equal": "numpy.Equal", "Greater": "numpy.Greater", "GreaterOrEqual": "numpy.GreaterEqual",
    "Less": "numpy.Less", "LessOrEqual": "numpy.LessEqual", "And": "numpy.LogicalAnd",
    "Or": "numpy.LogicalOr", "Xor": "numpy.LogicalXor", "NotEqual": "numpy.NotEqual",
}  # fmt: skip
CHOICE = ("condition", "x", "y")  # the inputs of Where
WEIGHTED = frozenset({"Add", "Sub", "Mul", "Div"})
LOGICAL = frozenset(
    {"Equal", "NotEqual", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not"}
)


def _unary(call: Call) -> Value:
    path = UNARY[call.layer.class_name]
    name = call.writer.operation(path, call.name, {}, [call.first])
    return Value(name, 0, 0, call.first.layout, _dtype(call))


def _dtype(call: Call) -> str:
    return "bool" if call.layer.class_name in LOGICAL else call.first.dtype


def _binary(call: Call) -> Value:
    """Of two values, or of a value and numbers in the file."""
    path = BINARY[call.layer.class_name]
    arguments = call.settings.get("arguments")
    if len(call.inputs) == 2:
        return _of_two(call, path, call.inputs)
    if len(call.inputs) != 1 or not isinstance(arguments, tuple) or len(arguments) != 2:
        raise Unsupported("has a constant that does not follow from the file")
    return _with_numbers(call, path, arguments)


def _of_two(call: Call, path: str, inputs: Sequence[Value]) -> Value:
    values = aligned(call.writer, inputs, call.name)
    name = call.writer.operation(path, call.name, {}, values)
    return Value(name, 0, 0, broadcast(values), _dtype(call))


def _with_numbers(call: Call, path: str, arguments: tuple[Any, ...]) -> Value:
    """A weight is a layer of its own, all else an argument of the operation."""
    place = next(n for n, one in enumerate(arguments) if not is_input(one))
    told = arguments[place]
    if is_looked_up(told):
        rows = looked_up(call, told)
        return _of_two(call, path, (call.first, rows) if place else (rows, call.first))
    weight = call.tensor(str(told["tensor"])) if isinstance(told, dict) and "tensor" in told else None
    if weight is not None and call.layer.class_name in WEIGHTED and not _is_constant(call, weight):
        return weighted(call, weight, is_first=place == 0, rows=told.get("rows"))
    value = apart(call.writer, call.first, call.name)
    constant = numbers_of(call, told)
    layout = _with_constant(value.layout, constant)
    given = [value, array(constant, value.layout, one_by_one(value.layout))]
    name = call.writer.operation(path, call.name, {}, given if place else given[::-1])
    return Value(name, 0, 0, layout, _dtype(call))


def _is_constant(call: Call, tensor: Tensor) -> bool:
    """Whether it is a mask, without finite numbers, or the value grows by what no training makes."""
    shape = call.first.layout.source_shape[-len(tensor.shape) :]
    grows = len(shape) == len(tensor.shape) and any(
        length == 1 and size > 1 for length, size in zip(shape, tensor.shape, strict=True)
    )
    return (grows and not is_trained(tensor)) or not np.isfinite(np.asarray(tensor.load(), np.float64)).all()


def _with_constant(layout: Layout, constant: Any) -> Layout:
    """The layout of what is joined with a constant, which may be longer along axes of length one."""
    shape = np.shape(constant)
    sizes = (1,) * (layout.rank - len(shape)) + shape
    told = zip(layout.source_shape, sizes, strict=False)
    lengths: list[Length] = [size if length == 1 else length for length, size in told]
    return layout if tuple(lengths) == layout.source_shape else plain(lengths, one_by_one(layout))


def _cast(call: Call) -> Value:
    """Only between kinds of numbers: that floats are rounded to a narrower type says the dtype policy."""
    dtype = str(call.settings.get("dtype") or "")
    kinds = {_kind(dtype), _kind(call.first.dtype)}
    if len(kinds) == 1 or not dtype:
        return call.first
    name = call.writer.operation("core.Cast", call.name, {"dtype": dtype}, [call.first])
    return Value(name, 0, 0, call.first.layout, dtype)


def _kind(dtype: str) -> str:
    return "float" if "float" in dtype else "int" if "int" in dtype else dtype


def _where(call: Call) -> Value:
    """Constants among its arguments are numbers."""
    values = dict(zip(call.keywords, aligned(call.writer, call.inputs, call.name), strict=True))
    if not values.keys() <= set(CHOICE):
        raise Unsupported("chooses by a condition that is a constant")
    layout = broadcast(list(values.values()))
    numbers = {key: numbers_of(call, _told(call, key)) for key in CHOICE if key not in values}
    order = one_by_one(layout)
    given = {key: array(constant, layout, order) for key, constant in numbers.items()} | values
    for constant in numbers.values():
        layout = _with_constant(layout, constant)
    name = call.writer.operation("numpy.Where", call.name, {}, [given[key] for key in CHOICE])
    chosen = [value.dtype for key, value in values.items() if key != "condition"]
    return Value(name, 0, 0, layout, chosen[0] if chosen else "float32")


def _told(call: Call, key: str) -> Any:
    """The numbers that stand in the graph, or the tensor that the file has in that place."""
    slot = {"tensor": key} if call.tensor(key) is not None else None
    return call.settings.get(key, slot)


CLASSES: Mapping[str, Builder] = {
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys(BINARY, _binary),
    "Where": _where,
}
BUILDERS: Mapping[str, Builder] = {"Cast": _cast}
