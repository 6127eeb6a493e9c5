"""Operators that change the lengths of axes: padding, resizing, blocks."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.steps import moved_blocks, pad, reflected, resize
from weightbridge.formats.tflite.nodes.call import Call, Handler

REFLECT = 0


def mirrored(call: Call) -> list[Node] | None:
    return reflected(call) if call.byte(0) == REFLECT else None


HANDLERS: Mapping[str, Handler] = {
    "DEPTH_TO_SPACE": lambda call: moved_blocks(call, "DepthToSpace", call.integer(0)),
    "SPACE_TO_DEPTH": lambda call: moved_blocks(call, "SpaceToDepth", call.integer(0)),
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": mirrored,
    "RESIZE_BILINEAR": lambda call: resize(call, "linear", call.flag(2), call.flag(3)),
    "RESIZE_NEAREST_NEIGHBOR": lambda call: resize(call, "nearest", call.flag(0), call.flag(1)),
}
