"""What Keras has no layer for: its own operations between layers, as it saves `x + y`."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.constants import array
from weightbridge.converting.from_graph.layout import Length, plain
from weightbridge.converting.from_graph.merging import aligned, broadcast
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.weighted import weighted
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
    "Or": "numpy.LogicalOr", "Xor": "numpy.LogicalXor",
}  # fmt: skip
REDUCTIONS: Mapping[str, str] = {
    "ReduceMean": "numpy.Mean", "ReduceSum": "numpy.Sum", "ReduceMax": "numpy.Max", "ReduceMin": "numpy.Min",
    "ReduceProd": "numpy.Prod", "ReduceLogSumExp": "math.Logsumexp",
}  # fmt: skip
WEIGHTED = frozenset({"Add", "Sub", "Mul", "Div"})
LOGICAL = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not"})


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
        values = aligned(call.writer, call.inputs, call.name)
        name = call.writer.operation(path, call.name, {}, values)
        return Value(name, 0, 0, broadcast(values), _dtype(call))
    if len(call.inputs) != 1 or not isinstance(arguments, tuple) or len(arguments) != 2:
        raise Unsupported("has a constant that does not follow from the file")
    weight = _weight(call, arguments)
    if weight is not None and call.layer.class_name in WEIGHTED:
        rows = arguments[_place(arguments)].get("rows")
        return weighted(call, weight, is_first=_place(arguments) == 0, rows=rows)
    value = apart(call.writer, call.first, call.name)
    given = [_argument(call, argument, value) for argument in arguments]
    name = call.writer.operation(path, call.name, {}, given)
    return Value(name, 0, 0, value.layout, _dtype(call))


def _place(arguments: Sequence[Any]) -> int:
    """Where the constant stands."""
    return next(n for n, one in enumerate(arguments) if not (isinstance(one, dict) and "input" in one))


def _weight(call: Call, arguments: Sequence[Any]) -> Tensor | None:
    told = arguments[_place(arguments)]
    return call.tensor(str(told["tensor"])) if isinstance(told, dict) and "tensor" in told else None


def _argument(call: Call, argument: Any, value: Value) -> Any:
    if isinstance(argument, dict) and "input" in argument:
        return value
    if argument is None or isinstance(argument, dict):
        raise Unsupported("has a constant that does not follow from the file, or is a weight")
    return array(argument, value.layout, one_by_one(value.layout))


def reduced(call: Call) -> Value:
    settings = call.settings
    value = apart(call.writer, call.first, call.name)
    order, rank = one_by_one(value.layout), value.layout.rank
    told = settings.get("axes")
    axes = {int(axis) % rank for axis in (told if isinstance(told, tuple) else (told,)) if axis is not None}
    axes = axes or set(range(rank))
    if order[0] in axes:
        raise Unsupported("joins the items of a batch")
    keeps = bool(settings.get("keepdims", True))
    config = {"axis": sorted(order.index(axis) for axis in axes), "keepdims": keeps}
    name = call.writer.operation(REDUCTIONS[call.layer.class_name], call.name, config, [value])
    return Value(name, 0, 0, _reduced_layout(value, order, axes, keeps=keeps), value.dtype)


def _reduced_layout(value: Value, order: Sequence[int], axes: set[int], *, keeps: bool) -> Any:
    shape: list[Length] = [1 if n in axes else length for n, length in enumerate(value.layout.source_shape)]
    if keeps:
        return plain(shape, order)
    left = [axis for axis in range(len(shape)) if axis not in axes]
    return plain([shape[axis] for axis in left], [left.index(axis) for axis in order if axis not in axes])


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
    if "condition" not in values or not values.keys() <= {"condition", "x", "y"}:
        raise Unsupported("chooses by a condition that is a constant")
    layout = broadcast(list(values.values()))
    told = [values.get(one, call.settings.get(one)) for one in ("condition", "x", "y")]
    if None in told:
        raise Unsupported("chooses a constant that does not follow from the file")
    order = one_by_one(layout)
    given = [one if isinstance(one, Value) else array(one, layout, order) for one in told]
    name = call.writer.operation("numpy.Where", call.name, {}, given)
    chosen = [value.dtype for key, value in values.items() if key != "condition"]
    return Value(name, 0, 0, layout, chosen[0] if chosen else "float32")


CLASSES: Mapping[str, Builder] = {
    **dict.fromkeys(UNARY, _unary),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(REDUCTIONS, reduced),
    "Where": _where,
}
BUILDERS: Mapping[str, Builder] = {"Cast": _cast}
