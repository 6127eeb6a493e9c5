"""Activations, of a layer of their own or at the end of another one."""

from collections.abc import Callable, Mapping
from math import pi, sqrt
from typing import Any

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import along, as_floats, binary, clipped, unary, with_number
from weightbridge.converting.to_onnx.functions.slices import split
from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.model.activations import Activation, name_and_parameters

Function = Callable[..., Value]
GELU_OPSET, MISH_OPSET = 20, 18


def activated(call: Call, value: Value) -> Value:
    """What the layer's own activation makes of a value."""
    return activate(call, value, call.settings.get("activation", "linear"))


def activate(call: Call, value: Value, activation: Activation) -> Value:
    name, parameters = name_and_parameters(activation)
    if name == "linear":
        return value
    if name not in FUNCTIONS:
        raise call.refused(f"has the activation {name}, which has no ONNX of its own here")
    return FUNCTIONS[name](call.writer, value, **parameters)


def _activation(call: Call) -> Value:
    value = call.first if "float" in call.first.dtype else as_floats(call.writer, call.first)
    if call.settings["activation"] == "prelu":
        return _prelu(call, value)
    return activated(call, value)


def _prelu(call: Call, value: Value) -> Value:
    alpha = call.tensor("alpha")
    slope = along(call.writer, alpha, value, range(1, value.rank))
    return value.named(call.writer.op("PRelu", value.name, slope))


def _plain(op: str) -> Function:
    return lambda writer, value: unary(writer, op, value)


def _relu(
    writer: Writer, value: Value, max_value: float | None = None, slope: float = 0.0, threshold: float = 0.0
) -> Value:
    if not slope and not threshold:
        return unary(writer, "Relu", value) if max_value is None else clipped(writer, value, 0.0, max_value)
    if not threshold:
        rising = unary(writer, "LeakyRelu", value, alpha=float(slope))
    else:
        rising = _with_threshold(writer, value, slope, threshold)
    return rising if max_value is None else clipped(writer, rising, None, max_value)


def _with_threshold(writer: Writer, value: Value, slope: float, threshold: float) -> Value:
    below = with_number(writer, "Sub", value, threshold, "threshold")
    below = with_number(writer, "Mul", below, slope, "slope")
    limit = writer.constant("threshold", threshold)
    above = writer.op("GreaterOrEqual", value.name, limit)
    return value.named(writer.op("Where", above, value.name, below.name))


def _swish(writer: Writer, value: Value) -> Value:
    return binary(writer, "Mul", value, unary(writer, "Sigmoid", value))


def _hard_sigmoid(writer: Writer, value: Value, slope: float = 1 / 6, offset: float = 0.5) -> Value:
    return unary(writer, "HardSigmoid", value, alpha=float(slope), beta=float(offset))


def _hard_swish(writer: Writer, value: Value) -> Value:
    if writer.opset >= 14:
        return unary(writer, "HardSwish", value)
    return binary(writer, "Mul", value, _hard_sigmoid(writer, value))


def _gelu(writer: Writer, value: Value) -> Value:
    """0.5 x (1 + erf(x / sqrt 2)), in ONNX's own node from opset 20 on."""
    if writer.opset >= GELU_OPSET:
        return unary(writer, "Gelu", value)
    inner = with_number(writer, "Div", value, sqrt(2.0), "sqrt_2")
    inner = with_number(writer, "Add", unary(writer, "Erf", inner), 1.0, "one")
    return with_number(writer, "Mul", binary(writer, "Mul", value, inner), 0.5, "half")


def _gelu_tanh(writer: Writer, value: Value) -> Value:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (arXiv:1606.08415)."""
    if writer.opset >= GELU_OPSET:
        return unary(writer, "Gelu", value, approximate="tanh")
    cubed = with_number(writer, "Pow", value, 3.0, "three")
    inner = binary(writer, "Add", value, with_number(writer, "Mul", cubed, 0.044715, "factor"))
    inner = unary(writer, "Tanh", with_number(writer, "Mul", inner, sqrt(2.0 / pi), "sqrt_2_by_pi"))
    inner = with_number(writer, "Add", inner, 1.0, "one")
    return with_number(writer, "Mul", binary(writer, "Mul", value, inner), 0.5, "half")


def _mish(writer: Writer, value: Value) -> Value:
    if writer.opset >= MISH_OPSET:
        return unary(writer, "Mish", value)
    return binary(writer, "Mul", value, unary(writer, "Tanh", unary(writer, "Softplus", value)))


def _log_sigmoid(writer: Writer, value: Value) -> Value:
    return unary(writer, "Neg", unary(writer, "Softplus", unary(writer, "Neg", value)))


def _celu(writer: Writer, value: Value, alpha: float = 1.0) -> Value:
    return unary(writer, "Celu", value, alpha=float(alpha))


def _shrunk(writer: Writer, value: Value, cut: float, moved: float) -> Value:
    return unary(writer, "Shrink", value, lambd=float(cut), bias=float(moved))


def _squareplus(writer: Writer, value: Value, b: float = 4.0) -> Value:
    """(x + sqrt(x^2 + b)) / 2"""
    root = with_number(writer, "Add", binary(writer, "Mul", value, value), float(b), "b")
    total = binary(writer, "Add", value, unary(writer, "Sqrt", root))
    return with_number(writer, "Mul", total, 0.5, "half")


def _sparse_sigmoid(writer: Writer, value: Value) -> Value:
    half = with_number(writer, "Mul", with_number(writer, "Add", value, 1.0, "one"), 0.5, "half")
    return clipped(writer, half, 0.0, 1.0)


def _sparse_plus(writer: Writer, value: Value) -> Value:
    """((x + 1) / 2)^2 between -1 and 1, 0 below and x above: s^2 + max(x - 1, 0), s the sparse sigmoid."""
    between = _sparse_sigmoid(writer, value)
    above = unary(writer, "Relu", with_number(writer, "Sub", value, 1.0, "one"))
    return binary(writer, "Add", binary(writer, "Mul", between, between), above)


def _softmax(op: str) -> Function:
    def over(writer: Writer, value: Value, axis: Any = -1) -> Value:
        axes = axis if isinstance(axis, tuple) else (axis,)
        if len(axes) == 1:
            return unary(writer, op, value, axis=value.place(axes[0]))
        return _over_several(writer, op, value, axes)

    return over


def _over_several(writer: Writer, op: str, value: Value, axes: tuple[int, ...]) -> Value:
    """By logsumexp over all of them."""
    total = value.named(_reduced(writer, "ReduceLogSumExp", value, axes))
    logarithm = binary(writer, "Sub", value, total)
    return logarithm if op == "LogSoftmax" else unary(writer, "Exp", logarithm)


def _reduced(writer: Writer, op: str, value: Value, axes: tuple[int, ...]) -> str:
    places = sorted(value.place(axis) for axis in axes)
    if writer.opset < 18:
        return writer.op(op, value.name, axes=tuple(places))
    return writer.op(op, value.name, writer.integers("axes", places))


def _glu(writer: Writer, value: Value, axis: int = -1) -> Value:
    value = as_keras(writer, value)
    first, second = split(writer, value.name, axis % value.rank, 2)
    half = None if value.shape[axis] is None else value.shape[axis] // 2  # type: ignore[operator]  # a length
    shape = tuple(half if n == axis % value.rank else length for n, length in enumerate(value.shape))
    gate = unary(writer, "Sigmoid", value.named(second, shape=shape))
    return binary(writer, "Mul", value.named(first, shape=shape), gate)


FUNCTIONS: Mapping[str, Function] = {
    "relu": _relu,
    "relu6": lambda writer, value: clipped(writer, value, 0.0, 6.0),
    "leaky_relu": lambda writer, value, slope=0.2: unary(writer, "LeakyRelu", value, alpha=float(slope)),
    "thresholded_relu": lambda writer, value, theta=1.0: unary(
        writer, "ThresholdedRelu", value, alpha=float(theta)
    ),
    "elu": lambda writer, value, alpha=1.0: unary(writer, "Elu", value, alpha=float(alpha)),
    "celu": _celu,
    "selu": _plain("Selu"),
    "sigmoid": _plain("Sigmoid"),
    "log_sigmoid": _log_sigmoid,
    "hard_sigmoid": _hard_sigmoid,
    "swish": _swish,
    "hard_swish": _hard_swish,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "exponential": _plain("Exp"),
    "exp": _plain("Exp"),
    "tanh": _plain("Tanh"),
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "mish": _mish,
    "squareplus": _squareplus,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "tanh_shrink": lambda writer, value: binary(writer, "Sub", value, unary(writer, "Tanh", value)),
    "hard_tanh": lambda writer, value: clipped(writer, value, -1.0, 1.0),
    "hard_shrink": lambda writer, value, threshold=0.5: _shrunk(writer, value, threshold, 0.0),
    "soft_shrink": lambda writer, value, threshold=0.5: _shrunk(writer, value, threshold, threshold),
    "softmax": _softmax("Softmax"),
    "log_softmax": _softmax("LogSoftmax"),
    "glu": _glu,
}
BUILDERS: Mapping[str, Builder] = {"Activation": _activation}
