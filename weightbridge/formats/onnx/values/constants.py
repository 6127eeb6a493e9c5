"""Constants of a graph as its nodes see them: through views, and as floats where they are quantised."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node, Scaling, TensorHeader
from weightbridge.formats.onnx.tensors import QUARTER_BYTES
from weightbridge.formats.onnx.values.views import View
from weightbridge.model.tensors import Array

Read = Callable[[TensorHeader], Array]
FACTOR = "\0factor"  # an attribute that the file does not have


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

    FACTOR names a second scale, of a single value: the bias of a quantised product has the scale of the
    data times that of the kernel.
    """
    axis, block = int(node.attributes.get("axis", 1)), int(node.attributes.get("block_size", 0))
    names = [value for value in (*node.inputs[1:], str(node.attributes.get(FACTOR, ""))) if value]
    if not all(value in known and not known[value].views for value in names):
        return None
    scale_name, zero_name, *_ = (*node.inputs[1:], "", "")
    scale, zero, factor = (known.get(value) for value in (scale_name, zero_name, names[-1]))
    if scale is None or not _fits(codes, scale, axis, block) or not _is_unscaled(codes):
        return None
    scaling = Scaling(
        scale.header,
        None if zero is None else zero.header,
        axis,
        factor.header if factor is not None and FACTOR in node.attributes else None,
        block,
    )
    return replace(codes, header=replace(codes.header, scaling=scaling))


def _is_unscaled(codes: Constant) -> bool:
    return codes.header.scaling is None and codes.header.elem_type not in QUARTER_BYTES


def _fits(codes: Constant, scale: Constant, axis: int, block: int) -> bool:
    """Whether there is one scale for all codes, one for each place along the axis, or one for each block."""
    if codes.shape is None:
        return False
    if scale.size <= 1:
        return True
    if codes.views or not -len(codes.shape) <= axis < len(codes.shape):
        return False
    if block:
        blocks = list(codes.shape)
        blocks[axis] = -(-blocks[axis] // block)
        return scale.header.dims == tuple(blocks)
    has_one_axis = max(scale.header.dims) == scale.size
    return has_one_axis and scale.size == codes.shape[axis]
