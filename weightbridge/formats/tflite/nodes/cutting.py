"""Operators that cut values apart, and PACK, which puts them side by side."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.cutting import (
    Masks,
    pack,
    slice_of_size,
    split,
    split_by_lengths,
    strided_slice,
    unpack,
)
from weightbridge.formats.tensorflow.steps import turned_around
from weightbridge.formats.tflite.nodes.call import Call, Handler


def strided(call: Call) -> list[Node] | None:
    if call.flag(5):
        return None  # ends are lengths
    return strided_slice(call, Masks(*(call.integer(field) for field in range(5))))


HANDLERS: Mapping[str, Handler] = {
    "SPLIT": split,
    "SPLIT_V": split_by_lengths,
    "PACK": lambda call: pack(call, call.integer(1)),
    "UNPACK": lambda call: unpack(call, call.integer(1)),
    "SLICE": slice_of_size,
    "STRIDED_SLICE": strided,
    "REVERSE_V2": turned_around,
}
