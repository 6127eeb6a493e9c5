"""Experts one by one into one tensor, and back: `experts.0.w1`, `experts.1.w1` -> `experts.w1`."""

from dataclasses import replace

from weightbridge.matching.joining.join import Joiner
from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.tensors.stacks import RANK, Transform
from weightbridge.model.layouts import is_taken_as_turned, is_turned
from weightbridge.model.tensors import Tensor


def listed_experts(source: Use, given: Tensor, wanted: Tensor, joiner: Joiner) -> Transform | None:
    """Experts one by one into one tensor with them along its first axis; `given` is the first one's."""
    parts = source.parts
    if parts > 1 and (wanted.shape[-1] % parts or len(wanted.shape) != RANK):
        return None
    expert = replace(wanted, shape=(*wanted.shape[1:-1], wanted.shape[-1] // parts))
    pattern = _pattern(given, expert, joiner)
    return None if pattern is None else ("stack", {"pattern": pattern, "parts": parts})


def _pattern(given: Tensor, wanted: Tensor, joiner: Joiner) -> str | None:
    """torch's (out, in) into a plain matrix (in, out) of Keras; as it is between equals."""
    is_equal = given.shape == wanted.shape
    if joiner.has_one_layout:
        return "" if is_equal else None
    is_turned = is_taken_as_turned(joiner.source, given)
    if len(given.shape) == 2 and is_turned and given.shape[::-1] == wanted.shape:
        return "o i -> i o"
    is_plain = len(given.shape) < 2 or not is_turned
    return "" if is_equal and is_plain else None


def into_experts(given: Tensor, wanted: Tensor, place: tuple[int, int]) -> Transform | None:
    """One expert of a stack.

    One of `parts` equal runs of its columns, where gates and ups lie in one tensor.

    place: which of the list of experts is wanted, and the parts.
    """
    index, parts = place
    if given.shape[-1] % parts:
        return None
    width = given.shape[-1] // parts
    shape = (*given.shape[1:-1], width)
    is_crossed = given.axes.endswith("i o") and is_turned(wanted)
    if len(shape) == 2 and is_crossed and shape[::-1] == wanted.shape:
        pattern = "i o -> o i"
    elif shape == wanted.shape:
        pattern = ""
    else:
        return None
    if parts == 1:
        return "select", {"index": index, "inner": pattern, "parameters": {}}
    start = index % parts * width
    columns = {"axis": len(shape) - 1, "start": start, "stop": start + width, "pattern": pattern}
    return "select", {"index": index // parts, "inner": "slice", "parameters": columns}
