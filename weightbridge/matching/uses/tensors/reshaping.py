"""Tables, vectors and matrices that no rule joins: `(1, 77, 512)` -> `(77, 512)`."""

from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.tensors.stacks import Transform, crosses, is_stack
from weightbridge.model.layouts import is_turned
from weightbridge.model.tensors import Tensor

OFFSET = 2  # rows before the first position in tables of the fairseq family: padding index + 1
Lengths = tuple[int, ...]


def reshaped(source: Use, target: Use, given: Tensor, wanted: Tensor) -> Transform | None:
    """The transform of one tensor into the other by their shapes; None where these do not tell it."""
    if is_stack(source.leaf) and is_stack(target.leaf) and crosses(source.leaf, target.leaf) is not False:
        has_same_experts = given.shape[0] == wanted.shape[0] and given.size == wanted.size
        return ("e a b -> e b a", {}) if has_same_experts else None
    pattern = _of_equal_lengths(source, target, given, wanted)
    if pattern is not None:
        return pattern, {}
    lengths, wanted_lengths = _longer_axes(given), _longer_axes(wanted)
    if target.function == "head" and len(lengths) == 2 and lengths == wanted_lengths[::-1]:
        return "o i -> i o", {}
    if target.function == "position_embedding" and _has_offset(lengths, wanted_lengths):
        axis = len(given.shape) - 2
        return "slice", {"axis": axis, "start": OFFSET, "stop": lengths[0]}
    return None


def is_table(use: Use) -> bool:
    """Whether it is looked up, not multiplied: its axes mean the same everywhere."""
    names_a_table = any(word in use.function for word in ("embedding", "token", "relative"))
    return names_a_table or use.leaf.layer.op == "Embedding"


def _longer_axes(tensor: Tensor) -> Lengths:
    """The shape without axes of length one."""
    return tuple(n for n in tensor.shape if n > 1)


def _of_equal_lengths(source: Use, target: Use, given: Tensor, wanted: Tensor) -> str | None:
    """The pattern between tensors whose longer axes are equal; None where they are not, or may be turned."""
    lengths = _longer_axes(given)
    if lengths != _longer_axes(wanted):
        return None
    is_square = len(lengths) == 2 and lengths[0] == lengths[1]
    if is_square and is_turned(given) and not is_table(target):
        return "o i -> i o"  # a module's matrix into one that no module holds
    pattern = f"{_labels(given)} -> {_labels(wanted)}"
    if len(lengths) < 2 or _keeps_axes(source, target, given, wanted):
        return "" if given.shape == wanted.shape else pattern
    are_told_apart = len(set(lengths)) == len(lengths)
    return pattern if are_told_apart and _is_opaque(source, target) else None


def _labels(tensor: Tensor) -> str:
    """The axes of a tensor, those of length one as 1."""
    letters = iter("abcdefgh")
    return " ".join("1" if n == 1 else next(letters) for n in tensor.shape)


def _keeps_axes(source: Use, target: Use, given: Tensor, wanted: Tensor) -> bool:
    """Whether axes of one length are the same axes on both sides."""
    if "relative_bias" in (source.function, target.function) or "embedding" in target.function:
        return True
    return "embeddings" in (given.role, wanted.role) or _is_opaque(source, target)


def _is_opaque(source: Use, target: Use) -> bool:
    return "Opaque" in (source.leaf.layer.op, target.leaf.layer.op)


def _has_offset(lengths: Lengths, wanted: Lengths) -> bool:
    """Whether the first axis alone is longer, by the rows that the fairseq family leaves out."""
    if not lengths or not wanted:
        return False
    return lengths[1:] == wanted[1:] and lengths[0] - wanted[0] == OFFSET
