"""Tensors of two writers that keep the same layout: ONNX and torch have their convolutions, tables and dense
matrices in common.
"""

from typing import Any

from weightbridge.matching.joining.stored_axes import stored
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS

CHANNELS_FIRST = frozenset({"onnx", "torch"})
COMMON = SINGLE_KERNEL_CONVOLUTIONS | {"Activation", "Embedding"}


def same_layout(
    frameworks: tuple[str, str], source: Layer, target: Layer, given: Tensor, wanted: Tensor
) -> tuple[str, dict[str, Any]] | None:
    """A copy, or a matrix turned where one side keeps (in, out); None where these writers or layers have no
    layout in common.
    """
    if not set(frameworks) <= CHANNELS_FIRST:
        return None
    if source.op == target.op == "Dense" and len(given.shape) == len(wanted.shape) == 2:
        return _matrix(source, target, given, wanted)
    is_common = {source.op, target.op} <= COMMON and given.shape == wanted.shape
    return (
        ("", {}) if is_common and stored(source, given.role) is stored(target, wanted.role) is None else None
    )


def _matrix(source: Layer, target: Layer, given: Tensor, wanted: Tensor) -> tuple[str, dict[str, Any]] | None:
    if bool(source.attributes.get("transposed")) == bool(target.attributes.get("transposed")):
        return ("", {}) if given.shape == wanted.shape else None
    return ("o i -> i o", {}) if given.shape[::-1] == wanted.shape else None
