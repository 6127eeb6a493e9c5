"""Numbers as the bins that they fall into, and categories as vectors."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.arrange import as_keras
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats, cast
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.values import Value, straight

BOTH_ENDS = {"multi_hot": "ReduceMax", "count": "ReduceSum", "one_hot": "ReduceMax"}


def _binned(call: Call) -> Value:
    """How many of the boundaries are no larger."""
    bounds, mode = call.config.get("bin_boundaries"), call.config.get("output_mode", "int")
    if not bounds or mode != "int":
        raise call.refused("does not say its boundaries, or gives something else than the number of the bin")
    writer, value = call.writer, as_keras(call.writer, as_floats(call.writer, call.first))
    places, shape = writer.unsqueezed(value.name, [value.rank]), (*value.shape, len(bounds))
    reached = writer.op("GreaterOrEqual", places, writer.constant("boundaries", bounds))
    counted = cast(writer, Value(reached, shape, straight(len(shape)), "bool"), "int64")
    return reduced(writer, "ReduceSum", counted, [value.rank], keepdims=False)


def _encoded(call: Call) -> Value:
    """One number for each category: whether it is there, or how often."""
    mode, count = str(call.config.get("output_mode", "multi_hot")), int(call.config["num_tokens"])
    if mode not in BOTH_ENDS or len(call.inputs) > 1 or call.first.rank != 2:
        raise call.refused("has weights, or other categories than one list for each sample")
    writer, value = call.writer, as_keras(call.writer, call.first)
    ends = writer.constant("off_and_on", [0.0, 1.0])
    depth, numbers = writer.constant("categories", count, "int64"), cast(writer, value, "int64")
    name = writer.op("OneHot", numbers.name, depth, ends, axis=-1)
    found = Value(name, (*value.shape, count), straight(3))
    if mode == "one_hot" and value.shape[1] != 1:
        return found
    return reduced(writer, BOTH_ENDS[mode], found, [1], keepdims=False)


CLASSES: Mapping[str, Builder] = {"Discretization": _binned, "CategoryEncoding": _encoded}
