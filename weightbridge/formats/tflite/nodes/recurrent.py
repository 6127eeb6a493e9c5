"""Operators that are whole recurrent layers: what they say, for what puts their gates together."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.loops.fused import ACTIVATION, LIMIT, LSTM, RNN, TIME_MAJOR
from weightbridge.formats.tflite.nodes.call import Call, Handler

ACTIVATIONS = {0: "linear", 1: "relu", 3: "relu6", 4: "tanh"}
DOMAIN = "tflite"
LEAST_LIMIT = 10.0  # steps that may add one each


def lstm(call: Call) -> list[Node] | None:
    """Converters limit the cell's state to 10, which Keras does not; one with a projection is no layer."""
    limit = call.decimal(1)
    if call.decimal(2) or 0.0 < limit < LEAST_LIMIT:
        return None
    return _told(call, call.byte(0), {TIME_MAJOR: int(call.flag(3)), LIMIT: limit})


def simple(call: Call) -> list[Node] | None:
    return _told(call, call.byte(1), {TIME_MAJOR: int(call.flag(0))})


def _told(call: Call, code: int, more: Mapping[str, int | float]) -> list[Node] | None:
    name = ACTIVATIONS.get(code)
    if name is None:
        return None
    told = {ACTIVATION: name, **more}
    return [Node(call.output, call.operator.op, DOMAIN, call.inputs, call.outputs, told)]


HANDLERS: Mapping[str, Handler] = {LSTM: lstm, RNN: simple}
