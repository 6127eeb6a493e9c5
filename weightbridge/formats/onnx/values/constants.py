"""Constants of an ONNX graph as its nodes see them: through views, and made floats of where they are
quantised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from weightbridge.formats.onnx.proto import Node, Scaling, TensorHeader
from weightbridge.formats.onnx.tensors import HALF_BYTES, QUARTER_BYTES
from weightbridge.formats.onnx.values.views import View


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor as a node sees it: an initializer or a Constant node's value, through views such as a
    Transpose.
    """

    name: str
    header: TensorHeader
    shape: tuple[int, ...] | None
    views: tuple[View, ...] = ()

    @property
    def size(self) -> int:
        return prod(self.header.dims)


def dequantised(given: Constant, node: Node, known: Mapping[str, Constant]) -> Constant | None:
    """The floats that are made of a quantised tensor, or its codes if they cannot be read; None where its
    scales are not known.
    """
    if given.header.elem_type in (*HALF_BYTES, *QUARTER_BYTES):
        return given
    scale, *zero = (known.get(v) for v in node.inputs[1:] if v)
    axis = int(node.attributes.get("axis", 1))
    plain = all(c is not None and not c.views for c in (scale, *zero)) and not node.attributes.get(
        "block_size"
    )
    if scale is None or not plain or given.shape is None or (given.views and scale.size > 1):
        return None
    if scale.size > 1 and not (
        -len(given.shape) <= axis < len(given.shape) and scale.header.dims == (given.shape[axis],)
    ):
        return None
    zeros = next((c.header for c in zero if c is not None), None)
    return replace(given, header=replace(given.header, scaling=Scaling(scale.header, zeros, axis)))
