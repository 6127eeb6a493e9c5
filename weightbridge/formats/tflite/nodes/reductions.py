"""Operators that leave out axes."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tflite.nodes.call import Call, Handler


def reduction(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        axes = call.integers(1)
        if axes is None:
            return None
        data, named = (call.value(0),), tuple(dict.fromkeys(axes))
        return [call.node(op, data, axes=named, keepdims=int(call.flag(0)))]

    return handle


def place_of_largest(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        axis = call.integers(1)
        return None if not axis else [call.node(op, (call.value(0),), axis=axis[0], keepdims=0)]

    return handle


HANDLERS: Mapping[str, Handler] = {
    "MEAN": reduction("ReduceMean"),
    "SUM": reduction("ReduceSum"),
    "REDUCE_MAX": reduction("ReduceMax"),
    "REDUCE_MIN": reduction("ReduceMin"),
    "REDUCE_PROD": reduction("ReduceProd"),
    "ARG_MAX": place_of_largest("ArgMax"),
    "ARG_MIN": place_of_largest("ArgMin"),
}
