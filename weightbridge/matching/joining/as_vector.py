"""Tensors that no rule names but whose lengths tell their axes: one number per channel, above all."""

from weightbridge.matching.joining.sides import Side, Transform
from weightbridge.model.tensors import Tensor
from weightbridge.model.vectors import vector_pattern

GROUPED = frozenset({"gamma", "beta"})  # of a GroupNorm that an exporter wrote with its groups as an axis


def as_vector(source: Side, target: Side) -> Transform | None:
    """One number per channel stays that, whatever axes of length one stand around it.

    Groups of channels stand one after the other.
    """
    given, wanted = source.tensor, target.tensor
    if given.shape == wanted.shape and (len(given.shape) < 2 or given.role == "bias"):
        return "", {}
    long = [n for n in given.shape if n > 1]
    if not _has_these(wanted, long, given):
        return None
    is_told = len(set(long)) == len(long)  # lengths that differ tell the axes apart
    is_open = source.layer.op == target.layer.op == "Opaque"  # a kernel is only what the tensor is called
    is_table = is_told and (is_open or "kernel" not in (given.role, wanted.role))
    if len(long) < 2 or len(wanted.shape) == 1 or is_table:
        return vector_pattern(given.shape, wanted.shape)
    return None


def _has_these(wanted: Tensor, long: list[int], given: Tensor) -> bool:
    """Whether a tensor has the same axes longer than one, or all of them as one where they are groups."""
    lengths = [n for n in wanted.shape if n > 1]
    is_joined = given.role in GROUPED and lengths == [given.size]
    return given.size == wanted.size and (lengths == long or is_joined)
