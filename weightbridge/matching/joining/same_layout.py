"""Tensors of two files whose operations keep one layout.

A copy, a matrix turned, a kernel's axes moved.
"""

from collections.abc import Sequence

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.matching.joining.stored_axes import stored
from weightbridge.model.layouts import is_turned, keeps_channels_first, names_within, split
from weightbridge.model.vocabulary import SINGLE_KERNEL_CONVOLUTIONS

COMMON = SINGLE_KERNEL_CONVOLUTIONS | {"Activation", "Embedding"}


def same_layout(source: Side, target: Side) -> Transform | None:
    """A copy, or a matrix turned where one side keeps (in, out).

    None where these files or layers have no layout in common.
    """
    if not (keeps_channels_first(source.graph) and keeps_channels_first(target.graph)):
        return None
    given, wanted = source.tensor, target.tensor
    if source.layer.op == target.layer.op == "Dense" and len(given.shape) == len(wanted.shape) == 2:
        return _matrix(source, target)
    is_common = {source.layer.op, target.layer.op} <= COMMON and given.shape == wanted.shape
    return ("", {}) if is_common and stored(source) is stored(target) is None else None


def _matrix(source: Side, target: Side) -> Transform | None:
    given, wanted = source.tensor, target.tensor
    if is_turned(given) == is_turned(wanted):
        return ("", {}) if given.shape == wanted.shape else None
    return ("o i -> i o", {}) if given.shape[::-1] == wanted.shape else None


def has_other_kernel(source: Side, target: Side) -> bool:
    """Whether kernels of one operation differ in the order of their axes, or are turned over on one side."""
    if source.layer.op not in SINGLE_KERNEL_CONVOLUTIONS or source.layer.op != target.layer.op:
        return False
    names, wanted = (split(side.tensor.axes) for side in (source, target))
    is_moved = names != wanted and sorted(names) == sorted(wanted)
    return is_moved or _is_flipped(source) != _is_flipped(target)


def moved_kernel(source: Side, target: Side) -> Transform | None:
    """The kernel with its axes in the target's order, and turned over; None where the shapes do not fit."""
    names, wanted = (split(side.tensor.axes) for side in (source, target))
    lengths = dict(zip(names, source.tensor.shape, strict=False))
    if not names or sorted(names) != sorted(wanted):
        return None
    if tuple(lengths[axis] for axis in wanted) != target.tensor.shape:
        return None
    pattern = "" if names == wanted else f"{_as_single(names)} -> {_as_single(wanted)}"
    if _is_flipped(source) == _is_flipped(target):
        return pattern, {}
    space = [n for n, axis in enumerate(names) if axis not in ("o", "i")]
    return "flip", {"axes": space, **({"pattern": pattern} if pattern else {})}


def _as_single(names: Sequence[str]) -> str:
    """The axes as a pattern, in which one of several names that stays whole is one: `(c m)` is `cm`."""
    return " ".join("".join(names_within(name)) or name for name in names)


def _is_flipped(side: Side) -> bool:
    return bool(side.layer.attributes.get("kernel_flipped"))
