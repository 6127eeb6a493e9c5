"""Constants of a graph as its nodes see them: through views, and as floats where they are quantised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

from weightbridge.formats.onnx.proto import Node, Scaling, TensorHeader
from weightbridge.formats.onnx.tensors import HALF_BYTES, QUARTER_BYTES
from weightbridge.formats.onnx.values.views import View
from weightbridge.model.tensors import Array

Read = Callable[[TensorHeader], Array]


@dataclass(frozen=True, slots=True)
class Constant:
    """An initializer or a Constant node's value as a node sees it, through views such as a Transpose."""

    name: str
    header: TensorHeader
    shape: tuple[int, ...] | None
    views: tuple[View, ...] = ()

    @property
    def size(self) -> int:
        return prod(self.header.dims)


def dequantised(codes: Constant, node: Node, known: Mapping[str, Constant]) -> Constant | None:
    """The floats that a DequantizeLinear makes of codes; None where its scales are not known.

    Codes of less than a byte cannot be read: they stay what they are.
    """
    if codes.header.elem_type in (*HALF_BYTES, *QUARTER_BYTES):
        return codes
    scale, *zero_points = (known.get(value) for value in node.inputs[1:] if value)
    axis = int(node.attributes.get("axis", 1))
    is_plain = all(c is not None and not c.views for c in (scale, *zero_points))
    if scale is None or not is_plain or node.attributes.get("block_size"):
        return None
    if not _fits(codes, scale, axis):
        return None
    zeros = next((c.header for c in zero_points if c is not None), None)
    scaling = Scaling(scale.header, zeros, axis)
    return replace(codes, header=replace(codes.header, scaling=scaling))


def _fits(codes: Constant, scale: Constant, axis: int) -> bool:
    """Whether there is one scale for all codes, or one for each place along the axis."""
    if codes.shape is None:
        return False
    if scale.size <= 1:
        return True
    has_axis = -len(codes.shape) <= axis < len(codes.shape)
    return not codes.views and has_axis and scale.header.dims == (codes.shape[axis],)
