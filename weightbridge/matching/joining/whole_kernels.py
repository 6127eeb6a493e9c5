"""Exact kernels between two forms of one function: dense and over the whole map, separable and plain."""

from collections.abc import Mapping
from math import prod
from typing import Any

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.matching.units.flattening import flattened_input
from weightbridge.matching.units.units import Unit
from weightbridge.matching.units.whole_kernels import SPACE
from weightbridge.model.layouts import keeps_channels_first, split
from weightbridge.model.tensors import Tensor

Several = tuple[tuple[str, ...], str, dict[str, Any]]
PRODUCT = "separable-product"


def is_whole_kernel(source: Side, target: Side) -> bool:
    """Whether one kernel is that of a dense layer and the other one of a convolution of more than one tap."""
    by_op = {side.layer.op: side for side in (source, target)}
    if by_op.keys() != {"Dense", "Conv"}:
        return False
    names = split(by_op["Conv"].tensor.axes)
    taps = [n for n, axis in zip(by_op["Conv"].tensor.shape, names, strict=False) if axis in SPACE]
    return prod(taps) > 1


def whole_kernel(source: Side, target: Side) -> Transform | None:
    """The reshape of one into the other; None where the flattened map is another than the kernel reads."""
    is_to_conv = source.layer.op == "Dense"
    dense, conv = (source, target) if is_to_conv else (target, source)
    names = split(conv.tensor.axes)
    lengths = dict(zip(names, conv.tensor.shape, strict=False))
    space = tuple(axis for axis in SPACE if axis in names)
    is_plain = {"i", "o"} <= lengths.keys() and int(conv.layer.attributes.get("groups") or 1) == 1
    if not is_plain:
        return None
    flat = _flat(dense, space, tuple(lengths[axis] for axis in space))
    if flat is None or not _is_matrix_of(dense.tensor, lengths, space):
        return None
    left, right = dense.tensor.axes.replace("i", flat), " ".join(names)
    pattern = f"{left} -> {right}" if is_to_conv else f"{right} -> {left}"
    return pattern, {axis: lengths[axis] for axis in (*space, "i")}


def _is_matrix_of(tensor: Tensor, lengths: Mapping[str, int], space: tuple[str, ...]) -> bool:
    """Whether a dense kernel has as many inputs and outputs as a convolution over all of its map."""
    matrix = split(tensor.axes)
    inputs = lengths["i"] * prod(lengths[axis] for axis in space)
    expected = {"i": inputs, "o": lengths["o"]}
    return sorted(matrix) == ["i", "o"] and tuple(expected[axis] for axis in matrix) == tensor.shape


def _flat(dense: Side, space: tuple[str, ...], lengths: tuple[int, ...]) -> str | None:
    """How the map was flattened: `(h w i)` or `(i h w)`; None where it was another map."""
    found = flattened_input(*dense.place)
    if found is not None and found.channels and found.space != lengths:
        return None
    if found is not None and found.channels_first is not None:
        is_first = found.channels_first
    else:
        is_first = keeps_channels_first(dense.graph)
    axes = ("i", *space) if is_first else (*space, "i")
    return f"({' '.join(axes)})"


def separable_product(source: Unit, target: Unit, role: str, wanted: Tensor) -> Several | None:
    """The plain kernel that a separable convolution amounts to."""
    depth, point = source.roles.get("depthwise_kernel"), source.roles.get("kernel")
    is_plain = role == "kernel" and target.layer.op == "Conv"
    if source.layer.op != "SeparableConv" or not is_plain or depth is None or point is None:
        return None
    names, wanted_names = (*split(depth.axes)[:-2], "i", "o"), split(wanted.axes)
    lengths = dict(zip(names, (*depth.shape[:-1], point.shape[-1]), strict=True))
    if sorted(names) != sorted(wanted_names):
        return None
    if tuple(lengths[axis] for axis in wanted_names) != wanted.shape:
        return None
    layout = {} if names == wanted_names else {"pattern": f"{' '.join(names)} -> {' '.join(wanted_names)}"}
    return (depth.name, point.name), PRODUCT, layout
