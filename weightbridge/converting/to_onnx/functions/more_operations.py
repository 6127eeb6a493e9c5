"""Further operations of keras.ops: functions of one number, logic, statistics, sums along an axis."""

from collections.abc import Callable, Mapping

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import binary, cast, unary, with_number
from weightbridge.converting.to_onnx.functions.operands import axes_of, floats_of, keeps_axes, setting
from weightbridge.converting.to_onnx.functions.slices import flipped
from weightbridge.converting.to_onnx.layers.reductions import of_length_one, reduced, without
from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer

Function = Callable[[Writer, Value], Value]
PLAIN: Mapping[str, str] = {
    "Arccos": "Acos",
    "Arccosh": "Acosh",
    "Arcsin": "Asin",
    "Arcsinh": "Asinh",
    "Arctan": "Atan",
    "Arctanh": "Atanh",
    "Cosh": "Cosh",
    "Sinh": "Sinh",
    "Tan": "Tan",
}
BASES = {"Log2": 2.0, "Log10": 10.0}


def _of(function: Function) -> Builder:
    return lambda call: function(call.writer, floats_of(call))


def _plain(op: str) -> Function:
    return lambda writer, value: unary(writer, op, value)


def _log1p(writer: Writer, value: Value) -> Value:
    return unary(writer, "Log", with_number(writer, "Add", value, 1.0, "one"))


def _expm1(writer: Writer, value: Value) -> Value:
    return with_number(writer, "Sub", unary(writer, "Exp", value), 1.0, "one")


def _erfc(writer: Writer, value: Value) -> Value:
    return with_number(writer, "Add", unary(writer, "Neg", unary(writer, "Erf", value)), 1.0, "one")


def _logarithm(base: float) -> Function:
    return lambda writer, value: with_number(
        writer, "Div", unary(writer, "Log", value), float(np.log(base)), "log_base"
    )


def _filled(number: float) -> Builder:
    """As many of one number as there are elements."""

    def build(call: Call) -> Value:
        dtype = str(setting(call, "dtype", default=None) or call.first.dtype)
        if dtype not in ("float32", "int32", "int64", "bool"):
            raise call.refused(f"gives {dtype}")
        shape = call.writer.op("Shape", call.first.name)
        name = call.writer.op("Expand", call.writer.constant("number", number, dtype), shape)
        return call.first.named(name, dtype=dtype)

    return build


def _any(op: str) -> Builder:
    """Of true and false, as the largest or smallest of 1 and 0."""

    def build(call: Call) -> Value:
        numbers = cast(call.writer, _truth(call.writer, call.first), "int32")
        found = reduced(call.writer, op, numbers, axes_of(call), keepdims=keeps_axes(call))
        return cast(call.writer, found, "bool")

    return build


def _truth(writer: Writer, value: Value) -> Value:
    return value if value.dtype == "bool" else cast(writer, value, "bool")


def _negated(call: Call) -> Value:
    value = _truth(call.writer, call.first)
    return value.named(call.writer.op("Not", value.name))


def _variance(call: Call) -> Value:
    value, axes = floats_of(call), axes_of(call)
    mean = reduced(call.writer, "ReduceMean", value, axes, keepdims=True)
    apart = binary(call.writer, "Sub", value, mean)
    squares = binary(call.writer, "Mul", apart, apart)
    return reduced(call.writer, "ReduceMean", squares, axes, keepdims=keeps_axes(call))


def _deviation(call: Call) -> Value:
    return unary(call.writer, "Sqrt", _variance(call))


def _place(op: str) -> Builder:
    def build(call: Call) -> Value:
        value, axis = call.first, setting(call, "axis", default=None)
        if axis is None:
            raise call.refused("looks through all axes at once")
        keepdims = keeps_axes(call)
        name = call.writer.op(op, value.name, axis=value.place(int(axis)), keepdims=int(keepdims))
        reduce = of_length_one if keepdims else without
        found = reduce(value, name, {int(axis) % value.rank})
        return found.named(name, dtype="int64")

    return build


def _summed(call: Call) -> Value:
    axis = setting(call, "axis", default=None)
    if axis is None:
        raise call.refused("sums over all axes at once")
    place = call.writer.constant("axis", call.first.place(int(axis)), "int64")
    return call.first.named(call.writer.op("CumSum", call.first.name, place))


def _turned_round(call: Call) -> Value:
    value = call.first
    for axis in axes_of(call):
        value = flipped(call.writer, value, axis)
    return value


def _normalised(call: Call) -> Value:
    """x / max(the norm along an axis, epsilon), of the second order."""
    if setting(call, "order", default=2) != 2:
        raise call.refused("takes another norm than the second")
    value, epsilon = floats_of(call), setting(call, "epsilon", default=None)
    squares = binary(call.writer, "Mul", value, value)
    total = reduced(call.writer, "ReduceSum", squares, axes_of(call, default=-1), keepdims=True)
    least = call.writer.constant("epsilon", (1e-7 if epsilon is None else float(epsilon)) ** 2)
    length = unary(call.writer, "Sqrt", total.named(call.writer.op("Max", total.name, least)))
    return binary(call.writer, "Div", value, length)


def _one_hot(call: Call) -> Value:
    if int(setting(call, "axis", default=-1)) != -1:
        raise call.refused("puts its classes elsewhere than last")
    count, value = int(setting(call, "num_classes", "depth")), as_keras(call.writer, call.first)
    depth = call.writer.constant("classes", count, "int64")
    both = call.writer.constant("off_and_on", [0.0, 1.0])
    whole = cast(call.writer, value, "int64")
    name = call.writer.op("OneHot", whole.name, depth, both, axis=-1)
    return Value(name, (*value.shape, count), tuple(range(value.rank + 1)))


MORE: Mapping[str, Builder] = {
    **{name: _of(_plain(op)) for name, op in PLAIN.items()},
    **{name: _of(_logarithm(base)) for name, base in BASES.items()},
    "Log1p": _of(_log1p),
    "Expm1": _of(_expm1),
    "Erfc": _of(_erfc),
    "ZerosLike": _filled(0),
    "OnesLike": _filled(1),
    "Any": _any("ReduceMax"),
    "All": _any("ReduceMin"),
    "LogicalNot": _negated,
    "Var": _variance,
    "Std": _deviation,
    "Argmax": _place("ArgMax"),
    "Argmin": _place("ArgMin"),
    "Cumsum": _summed,
    "Flip": _turned_round,
    "Normalize": _normalised,
    "OneHot": _one_hot,
}
