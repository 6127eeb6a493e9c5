"""Stacks of experts, and matrices that no module holds: which way round they lie."""

from weightbridge.matching.uses.leaves import Leaf
from weightbridge.model.layouts import STACKS

RANK = 3


def is_stack(leaf: Leaf) -> bool:
    """Whether it has the matrices of several experts along its first axis."""
    return leaf.layer.op == "Opaque" and len(leaf.main.shape) == RANK


def lies_turned(leaf: Leaf) -> bool | None:
    """Whether its last two axes are (out, in); None where nothing tells."""
    return next((way for way, axes in STACKS.items() if leaf.main.axes == axes), None)


def crosses(source: Leaf, target: Leaf) -> bool | None:
    """Whether the last two axes change places between the two; None where they are square and nothing tells."""
    a, b = source.main.shape[-2:], target.main.shape[-2:]
    if a != b or a[0] != a[1]:
        return a != b
    ways = lies_turned(source), lies_turned(target)
    return None if None in ways else ways[0] != ways[1]
