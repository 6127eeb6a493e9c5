"""Layers that keras.applications define for themselves."""

from collections.abc import Mapping

from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import along, binary, with_number
from weightbridge.converting.to_onnx.values import Value


def _layer_scale(call: Call) -> Value:
    """ConvNeXt's: each channel times a weight."""
    tensors = call.layer.tensors
    if len(tensors) != 1:
        raise call.refused("has no gamma in the file")
    value = call.first
    gamma = along(call.writer, tensors[0], value, [value.rank - 1])
    return value.named(call.writer.op("Mul", value.name, gamma))


def _custom_scale(call: Call) -> Value:
    """InceptionResNet's: the first input, and the second one scaled."""
    first, second = call.inputs
    scaled = with_number(call.writer, "Mul", second, float(call.config.get("scale", 1.0)), "scale")
    return binary(call.writer, "Add", first, scaled)


CLASSES: Mapping[str, Builder] = {
    "LayerScale": _layer_scale,
    "CustomScaleLayer": _custom_scale,
    "StochasticDepth": lambda call: call.first,
}
