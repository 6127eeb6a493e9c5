"""Operators that leave out axes."""

from collections.abc import Mapping

from weightbridge.formats.tensorflow.steps import place_of_largest, reduction
from weightbridge.formats.tflite.nodes.call import Handler


def reducing(op: str) -> Handler:
    return lambda call: reduction(call, op, call.flag(0))


HANDLERS: Mapping[str, Handler] = {
    "MEAN": reducing("ReduceMean"),
    "SUM": reducing("ReduceSum"),
    "REDUCE_MAX": reducing("ReduceMax"),
    "REDUCE_MIN": reducing("ReduceMin"),
    "REDUCE_PROD": reducing("ReduceProd"),
    "ARG_MAX": lambda call: place_of_largest(call, "ArgMax"),
    "ARG_MIN": lambda call: place_of_largest(call, "ArgMin"),
}
