"""Operations between layers: keras.ops, and what tf.keras keeps as TFOpLambda."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import (
    binary,
    cast,
    clipped,
    numbers_along,
    unary,
)
from weightbridge.converting.to_onnx.functions.choosing import chosen
from weightbridge.converting.to_onnx.functions.more_operations import MORE
from weightbridge.converting.to_onnx.functions.names import operation_name
from weightbridge.converting.to_onnx.functions.operands import (
    Operand,
    axes_of,
    floats_of,
    keeps_axes,
    operands,
    setting,
    told,
    values_of,
)
from weightbridge.converting.to_onnx.functions.ordering import ORDERING
from weightbridge.converting.to_onnx.functions.parts import PARTS
from weightbridge.converting.to_onnx.functions.rearranging import REARRANGING
from weightbridge.converting.to_onnx.layers.activations import activate
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.formats.keras.architecture.activations import operation_activation

LOGICAL = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"})


def _two(op: str) -> Builder:
    """Two operands, one of which may be a number."""

    def build(call: Call) -> Value:
        first, second = _pair(call)
        value = _joined(call, op, first, second)
        return value.named(value.name, dtype="bool") if op in LOGICAL else value

    return build


def _pair(call: Call) -> tuple[Operand, Operand]:
    found = operands(call)
    if len(found) != 2:
        raise call.refused("has other operands than two")
    return found[0], found[1]


def _joined(call: Call, op: str, first: Operand, second: Operand) -> Value:
    if isinstance(first, Value) and isinstance(second, Value):
        return binary(call.writer, op, first, second)
    value = next(operand for operand in (first, second) if isinstance(operand, Value))
    names = [one.name if isinstance(one, Value) else _constant(call, one, value) for one in (first, second)]
    return value.named(call.writer.op(op, *names))


def _constant(call: Call, numbers: Any, value: Value) -> str:
    array = np.asarray(numbers)
    if array.dtype.kind not in "fiub" or array.ndim > value.rank:
        raise call.refused("has a constant that is no number of this shape")
    return numbers_along(call.writer, "constant", array, value, value.dtype)


def _differing(call: Call) -> Value:
    equal = _two("Equal")(call)
    assert isinstance(equal, Value), "one output"
    return equal.named(call.writer.op("Not", equal.name))


def _floored(call: Call) -> Value:
    quotient = _two("Div")(call)
    assert isinstance(quotient, Value), "one output"
    return quotient if "int" in quotient.dtype else unary(call.writer, "Floor", quotient)


def _remainder(call: Call) -> Value:
    """With the divisor's sign, which ONNX knows of whole numbers alone."""
    if "int" not in call.first.dtype:
        raise call.refused("takes the remainder of floats")
    return _joined(call, "Mod", *_pair(call))


def _one(op: str) -> Builder:
    return lambda call: unary(call.writer, op, floats_of(call))


def _square(call: Call) -> Value:
    return binary(call.writer, "Mul", call.first, call.first)


def _reciprocal_root(call: Call) -> Value:
    return unary(call.writer, "Reciprocal", unary(call.writer, "Sqrt", floats_of(call)))


def _activation(call: Call) -> Value:
    name = operation_activation(operation_name(call.node.layer) or "", told(call))
    return activate(call, floats_of(call), name)


def _leaky(call: Call) -> Value:
    slope = setting(call, "negative_slope", "alpha", default=0.2)
    return activate(call, floats_of(call), ("leaky_relu", {"slope": float(slope)}))


def _reduced(op: str) -> Builder:
    def build(call: Call) -> Value:
        return reduced(call.writer, op, call.first, axes_of(call), keepdims=keeps_axes(call))

    return build


def _product(call: Call) -> Value:
    """As numpy's matmul, of two values with axes for the batch."""
    first, second = (as_keras(call.writer, value) for value in values_of(call))
    if min(first.rank, second.rank) < 2:
        raise call.refused("multiplies vectors")
    longer = first if first.rank >= second.rank else second
    shape = (*longer.shape[:-2], first.shape[-2], second.shape[-1])
    return Value(call.writer.op("MatMul", first.name, second.name), shape, straight(len(shape)))


def _clipped(call: Call) -> Value:
    low, high = (
        setting(call, *names, default=None)
        for names in (("x_min", "clip_value_min"), ("x_max", "clip_value_max"))
    )
    return clipped(
        call.writer,
        floats_of(call),
        None if low is None else float(low),
        None if high is None else float(high),
    )


def _cast(call: Call) -> Value:
    dtype = str(setting(call, "dtype", default="float32"))
    if dtype not in ("float32", "int32", "int64", "bool"):
        raise call.refused(f"casts to {dtype}")
    return call.first if dtype == call.first.dtype else cast(call.writer, call.first, dtype)


def _held(call: Call) -> Value:
    return call.first if setting(call, "dtype", default=None) is None else _cast(call)


def _einsum(call: Call) -> Value:
    equation = str(setting(call, "subscripts", "equation")).replace(" ", "")
    values = [as_keras(call.writer, value) for value in values_of(call)]
    inputs, arrow, output = equation.partition("->")
    if not arrow or "." in equation:
        raise call.refused(f"has the equation {equation}")
    pairs = zip(inputs.split(","), values, strict=True)
    lengths = {name: n for names, value in pairs for name, n in zip(names, value.shape, strict=True)}
    name = call.writer.op("Einsum", *(value.name for value in values), equation=equation)
    return Value(name, tuple(lengths[n] for n in output), straight(len(output)))


_NAMED: Sequence[tuple[Callable[[str], Builder], Mapping[str, str]]] = (
    (
        _two,
        {
            "Add": "Add",
            "Subtract": "Sub",
            "Multiply": "Mul",
            "TrueDivide": "Div",
            "Divide": "Div",
            "Power": "Pow",
            "Maximum": "Max",
            "Minimum": "Min",
            "Equal": "Equal",
            "Greater": "Greater",
            "GreaterEqual": "GreaterOrEqual",
            "Less": "Less",
            "LessEqual": "LessOrEqual",
            "LogicalAnd": "And",
            "LogicalOr": "Or",
            "LogicalXor": "Xor",
        },
    ),
    (
        _one,
        {
            "Absolute": "Abs",
            "Abs": "Abs",
            "Negative": "Neg",
            "Sqrt": "Sqrt",
            "Exp": "Exp",
            "Log": "Log",
            "Sin": "Sin",
            "Cos": "Cos",
            "Floor": "Floor",
            "Ceil": "Ceil",
            "Round": "Round",
            "Sign": "Sign",
            "Reciprocal": "Reciprocal",
            "Erf": "Erf",
        },
    ),
    (
        _reduced,
        {
            "Mean": "ReduceMean",
            "Sum": "ReduceSum",
            "Max": "ReduceMax",
            "Min": "ReduceMin",
            "Amax": "ReduceMax",
            "Amin": "ReduceMin",
            "Prod": "ReduceProd",
            "Logsumexp": "ReduceLogSumExp",
        },
    ),
)
OPERATIONS: Mapping[str, Builder] = {
    **{name: make(op) for make, named in _NAMED for name, op in named.items()},
    **dict.fromkeys(
        ("Relu", "Relu6", "Sigmoid", "Tanh", "Silu", "Gelu", "Softmax", "LogSoftmax", "Softplus", "Softsign",
         "Selu", "HardSigmoid", "HardSilu", "LogSigmoid", "Elu", "Celu", "Glu", "Squareplus", "SparsePlus",
         "SparseSigmoid", "TanhShrink", "HardTanh", "HardShrink", "SoftShrink"),
        _activation,
    ),
    "LeakyRelu": _leaky,
    "NotEqual": _differing,
    "FloorDivide": _floored,
    "Mod": _remainder,
    "Square": _square,
    "Rsqrt": _reciprocal_root,
    **REARRANGING,
    **MORE,
    **ORDERING,
    **PARTS,
    "Matmul": _product,
    "Einsum": _einsum,
    "Clip": _clipped,
    "Cast": _cast,
    "Where": chosen,
    "Identity": lambda call: call.first,
    "StopGradient": lambda call: call.first,
    "ConvertToTensor": _held,
}  # fmt: skip
