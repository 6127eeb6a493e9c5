"""Elementwise operators: sums and products with a fused activation, functions, comparisons."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.steps import (
    not_equal,
    one_over_root,
    plain,
    select,
    square,
    squared_difference,
)
from weightbridge.formats.tflite.nodes.call import Call, Handler, activated


def fused(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        return activated(call, call.byte(0), lambda output: [call.node(op, call.inputs, output)])

    return handle


def softmax(call: Call) -> list[Node] | None:
    """exp(beta x) over its sum along the last axis."""
    beta = call.decimal(0, 1.0)
    if beta == 1.0:
        return [call.node("Softmax", call.inputs, axis=-1)]
    factor, scaled = call.inner("beta"), call.inner("scaled")
    return [
        Node("", "Constant", "", (), (factor,), {"value_float": beta}),
        call.node("Mul", (call.value(0), factor), scaled),
        call.node("Softmax", (scaled,), axis=-1),
    ]


def leaky_relu(call: Call) -> list[Node]:
    return [call.node("LeakyRelu", call.inputs, alpha=call.decimal(0))]


def gelu(call: Call) -> list[Node]:
    return [call.node("Gelu", call.inputs, approximate="tanh" if call.flag(0) else "none")]


def unit_length(call: Call) -> list[Node] | None:
    """Along the last axis."""

    def nodes(output: str) -> list[Node]:
        return [call.node("LpNormalization", call.inputs, output, axis=-1, p=2)]

    return activated(call, call.byte(0), nodes)


HANDLERS: Mapping[str, Handler] = {
    "ADD": fused("Add"),
    "SUB": fused("Sub"),
    "MUL": fused("Mul"),
    "DIV": fused("Div"),
    "ADD_N": plain("Sum"),
    "MAXIMUM": plain("Max"),
    "MINIMUM": plain("Min"),
    "POW": plain("Pow"),
    "SQUARED_DIFFERENCE": squared_difference,
    "SQUARE": square,
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": plain("LogSoftmax", axis=-1),
    "LOGISTIC": plain("Sigmoid"),
    "TANH": plain("Tanh"),
    "RELU": plain("Relu"),
    "RELU6": plain("Clip", min=0.0, max=6.0),
    "RELU_N1_TO_1": plain("Clip", min=-1.0, max=1.0),
    "RELU_0_TO_1": plain("Clip", min=0.0, max=1.0),
    "PRELU": plain("PRelu"),
    "LEAKY_RELU": leaky_relu,
    "ELU": plain("Elu"),
    "HARD_SWISH": plain("HardSwish"),
    "GELU": gelu,
    "EXP": plain("Exp"),
    "LOG": plain("Log"),
    "SQRT": plain("Sqrt"),
    "RSQRT": one_over_root,
    "NEG": plain("Neg"),
    "ABS": plain("Abs"),
    "FLOOR": plain("Floor"),
    "CEIL": plain("Ceil"),
    "ROUND": plain("Round"),
    "SIN": plain("Sin"),
    "COS": plain("Cos"),
    "SIGN": plain("Sign"),
    "EQUAL": plain("Equal"),
    "NOT_EQUAL": not_equal,
    "LESS": plain("Less"),
    "LESS_EQUAL": plain("LessOrEqual"),
    "GREATER": plain("Greater"),
    "GREATER_EQUAL": plain("GreaterOrEqual"),
    "LOGICAL_AND": plain("And"),
    "LOGICAL_OR": plain("Or"),
    "LOGICAL_NOT": plain("Not"),
    "SELECT": select,
    "SELECT_V2": plain("Where"),
    "L2_NORMALIZATION": unit_length,
}
