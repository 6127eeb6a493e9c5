"""Operators that change the lengths of axes: padding and resizing."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.proto import CHANNELS_LAST, Node
from weightbridge.formats.tflite.nodes.call import Call, Handler

MODES = {0: "reflect", 1: "symmetric"}


def pad(call: Call) -> list[Node] | None:
    """Inputs: the data, pairs of what is added before and behind each axis, the value."""
    pads = _pads(call)
    if pads is None:
        return None
    value = (call.value(2),) if call.value(2) else ()
    return [pads, call.node("Pad", (call.value(0), pads.outputs[0], *value), mode="constant")]


def mirror_pad(call: Call) -> list[Node] | None:
    pads, mode = _pads(call), MODES.get(call.byte(0), "")
    if pads is None or mode != "reflect":
        return None
    return [pads, call.node("Pad", (call.value(0), pads.outputs[0]), mode=mode)]


def _pads(call: Call) -> Node | None:
    pairs = call.integers(1)
    return None if pairs is None or len(pairs) % 2 else call.constant("pads", (*pairs[::2], *pairs[1::2]))


def resize(mode: str, align: int, half: int) -> Handler:
    """align, half: the fields that say how pixels of the output are found in the input."""

    def handle(call: Call) -> list[Node] | None:
        sizes = _sizes(call)
        if sizes is None:
            return None
        found: dict[str, Any] = {
            "mode": mode,
            "coordinate_transformation_mode": _coordinates(call.flag(align), call.flag(half)),
            CHANNELS_LAST: 1,
        }
        if mode == "nearest":
            is_rounded = call.flag(align) or call.flag(half)
            found["nearest_mode"] = "round_prefer_ceil" if is_rounded else "floor"
        return [sizes, call.node("Resize", (call.value(0), "", "", sizes.outputs[0]), **found)]

    return handle


def _sizes(call: Call) -> Node | None:
    """The lengths of all axes after it; the file tells those of rows and columns."""
    shape, size = call.shape(call.output) or call.shape(call.value(0)), call.integers(1)
    if shape is None or len(shape) != 4 or size is None or len(size) != 2:
        return None
    return call.constant("sizes", (shape[0] or 1, *size, shape[3] or 1))


def _coordinates(is_aligned: bool, is_half: bool) -> str:
    if is_aligned:
        return "align_corners"
    return "half_pixel" if is_half else "asymmetric"


HANDLERS: Mapping[str, Handler] = {
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": mirror_pad,
    "RESIZE_BILINEAR": resize("linear", 2, 3),
    "RESIZE_NEAREST_NEIGHBOR": resize("nearest", 0, 1),
}
