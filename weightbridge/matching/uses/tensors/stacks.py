"""Stacks of experts: lists of them as one (`experts.0.w`, `experts.1.w` -> `experts.w`)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.matching.uses.leaf_uses import Use
from weightbridge.matching.uses.leaves import Leaf
from weightbridge.model.layouts import STACKS

RANK = 3
Transform = tuple[str, dict[str, Any]]  # its name or pattern, and its parameters
Sizes = Counter[tuple[int, int]]  # (elements, experts) of the stacks of one side


def is_stack(leaf: Leaf) -> bool:
    """Whether it has the matrices of several experts along its first axis."""
    return leaf.layer.op == "Opaque" and len(leaf.main.shape) == RANK


def lies_turned(leaf: Leaf) -> bool | None:
    """Whether its last two axes are (out, in); None where nothing tells."""
    for is_turned, axes in STACKS.items():
        if leaf.main.axes == axes:
            return is_turned
    return None


def crosses(source: Leaf, target: Leaf) -> bool | None:
    """Whether the last two axes change places between the two.

    None where they are square and nothing tells.
    """
    a, b = source.main.shape[-2:], target.main.shape[-2:]
    if a != b or a[0] != a[1]:
        return a != b
    source_turned, target_turned = lies_turned(source), lies_turned(target)
    if source_turned is None or target_turned is None:
        return None
    return source_turned != target_turned


def stacked(uses: Sequence[Use], opposite: Sequence[Use]) -> list[Use]:
    """Leaves that differ in one number alone as one, where the opposite side has as much in one tensor."""
    leaves = [use.leaf for use in opposite if len(use.leaf.main.shape) == RANK]
    sizes: Sizes = Counter((leaf.size, leaf.main.shape[0]) for leaf in leaves)
    if not sizes:
        return list(uses)
    groups = _with_fused(_groups(uses), sizes)
    return [use for members in groups for use in _stack_or_members(members, sizes)]


def _groups(uses: Sequence[Use]) -> list[list[Use]]:
    """Leaves that differ in one number alone, by that number."""
    groups: dict[tuple[object, ...], list[Use]] = {}
    for use in uses:
        groups.setdefault(_template(use), []).append(use)
    return [sorted(members, key=_number) for members in groups.values()]


def _template(use: Use) -> tuple[object, ...]:
    """Equal for leaves that differ in one number alone."""
    place = _place(use)
    if place is None:
        return (use.leaf.name,)
    shapes = tuple((role, tensor.shape) for role, tensor in use.leaf.tensors)
    return use.inner[:place], use.inner[place + 1 :], shapes


def _place(use: Use) -> int | None:
    """Where the number of an expert stands in the name; None where there is none."""
    places = [i for i, word in enumerate(use.inner[:-1]) if word.isdigit()]
    after_expert = [i for i in places if i and use.inner[i - 1] == "expert"]
    likely = after_expert or places
    return likely[-1] if likely else None


def _number(use: Use) -> int:
    """By which experts are stacked: files list them by name, by shard or as they were saved."""
    place = _place(use)
    return int(use.inner[place]) if place is not None else 0


def _with_fused(groups: Iterable[list[Use]], sizes: Sizes) -> Iterator[list[Use]]:
    """The groups, with the gates and the ups of all experts as one where the opposite side fuses them."""
    by_function = {members[0].function: members for members in groups if len(members) > 1}
    gates, ups = by_function.get("gate", []), by_function.get("up", [])
    if not _are_fused(gates, ups, sizes):
        yield from groups
        return
    yield from (members for members in groups if members is not gates and members is not ups)
    yield [use for pair in zip(gates, ups, strict=True) for use in pair]


def _are_fused(gates: Sequence[Use], ups: Sequence[Use], sizes: Sizes) -> bool:
    """Whether the opposite side has both in one tensor, and not apart."""
    total = sum(use.leaf.size for use in (*gates, *ups))
    is_in_one = len(gates) == len(ups) > 1 and (total, len(gates)) in sizes
    return is_in_one and sizes[total // 2, len(gates)] < len(("gate", "up"))


def _stack_or_members(members: list[Use], sizes: Sizes) -> list[Use]:
    """The members as one leaf where the opposite side has as many in one, as they are else."""
    total = sum(member.leaf.size for member in members)
    parts = len({member.function for member in members})
    is_list = len(members) > parts and (total, len(members) // parts) in sizes
    return [_stack(members, total, parts)] if is_list else members


def _stack(members: Sequence[Use], total: int, parts: int) -> Use:
    """The list of experts as one leaf; `parts` members in a row are one expert's."""
    first = members[0]
    flow = first.leaf.flow
    if flow is not None:
        flow = flow[0], flow[1] * parts
    place = _place(first)
    inner = first.inner if place is None else (*first.inner[:place], *first.inner[place + 1 :])
    function = first.function if parts == 1 else "gate_up"
    experts = tuple(member.leaf for member in members)
    return Use(replace(first.leaf, size=total, flow=flow), function, inner, experts, parts)
