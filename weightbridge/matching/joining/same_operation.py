"""Convolutions by channel and convolutions with groups, where both sides may be read as one of them."""

from weightbridge.matching.joining.sides import Side
from weightbridge.model.layouts import length_of, split

BY_CHANNEL = frozenset({"DepthwiseConv", "SeparableConv"})


def as_same_operation(source: Side, target: Side) -> tuple[Side, Side]:
    """Both sides, each with the operation of the other where its tensor may be read so."""
    grouped_source, grouped_target = _as_grouped(source, target), _as_grouped(target, source)
    by_channel_source = _as_by_channel(grouped_source, grouped_target)
    return by_channel_source, _as_by_channel(grouped_target, by_channel_source)


def _as_grouped(side: Side, other: Side) -> Side:
    """ONNX and torch keep a convolution by channel as they keep any with groups, which is what Keras has
    where it is written so.
    """
    has_groups = other.layer.op == "Conv" and other.layer.attributes.get("groups", 1) > 1
    is_kept_alike = side.layer.op == "DepthwiseConv" and "(c m)" in split(side.tensor.axes)
    return side.as_operation("Conv") if has_groups and is_kept_alike else side


def _as_by_channel(side: Side, other: Side) -> Side:
    """A convolution of one channel per group is one by channel, where the other side says so.

    Weights alone do not tell its groups.
    """
    inputs, outputs = (length_of(side.tensor, axis) for axis in ("i", "o"))
    is_open = "groups" not in side.layer.attributes or inputs == outputs == 1
    is_one_channel = side.layer.op == "Conv" and is_open and inputs == 1
    return side.as_operation("DepthwiseConv") if is_one_channel and other.layer.op in BY_CHANNEL else side
