"""Union-find over channel groups: which axes are tied, where a group is cut into parts, and what mixes it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from weightbridge.model.graph import LayerGraph


@dataclass(frozen=True, slots=True)
class Axis:
    """A channel axis: the concatenated groups `outer` times over, every channel `inner` times in a row."""

    parts: tuple[int, ...]
    outer: int = 1
    inner: int = 1


@dataclass(slots=True)
class Ties:
    """Groups under construction; a group that meets a Concat is split into the Concat's parts."""

    graph: LayerGraph
    size: list[int] = field(default_factory=list)
    same: list[int] = field(default_factory=list)
    split: dict[int, tuple[int, ...]] = field(default_factory=dict)
    rigid: set[int] = field(default_factory=set)
    even: set[int] = field(default_factory=set)
    read: dict[str, Axis] = field(default_factory=dict)
    written: dict[str, Axis] = field(default_factory=dict)


def fresh_axis(ties: Ties, size: int | None, *, rigid: bool = False) -> Axis | None:
    """An axis of a new group, None where its size is not known."""
    if size is None:
        return None
    group = len(ties.same)
    ties.size.append(size)
    ties.same.append(group)
    if rigid:
        ties.rigid.add(group)
    return Axis((group,))


def tie(ties: Ties, axis: Axis, other: Axis) -> None:
    """Joins two axes part by part; where one side is coarser it is split at the other's borders."""
    if (axis.outer, axis.inner) != (other.outer, other.inner):
        mark(ties.rigid, ties, axis)
        mark(ties.rigid, ties, other)
        return
    left, right = list(final(ties, axis).parts), list(final(ties, other).parts)
    while left and right:
        left[:1], right[:1] = leaves(ties, left[0]), leaves(ties, right[0])
        a, b = left.pop(0), right.pop(0)
        if a == b:
            continue
        if ties.size[a] == ties.size[b]:
            ties.same[a] = b
        elif ties.size[a] > ties.size[b]:
            left.insert(0, _cut(ties, a, b))
        else:
            right.insert(0, _cut(ties, b, a))


def _cut(ties: Ties, whole: int, first: int) -> int:
    """Splits `whole` into `first` and a rest, which is returned."""
    rest = fresh_axis(ties, ties.size[whole] - ties.size[first])
    assert rest is not None
    ties.split[whole] = (first, rest.parts[0])
    return rest.parts[0]


def mark(marks: set[int], ties: Ties, axis: Axis) -> None:
    """Adds the groups of an axis to a set."""
    marks.update(final(ties, axis).parts)


def length(ties: Ties, axis: Axis) -> int:
    """How long an axis is."""
    return axis.outer * axis.inner * sum(ties.size[group] for group in axis.parts)


def final(ties: Ties, axis: Axis) -> Axis:
    """The axis with the groups that its parts have become."""
    return replace(axis, parts=all_leaves(ties, axis.parts))


def all_leaves(ties: Ties, groups: Iterable[int]) -> tuple[int, ...]:
    """What groups have become, in their order."""
    return tuple(leaf for group in groups for leaf in leaves(ties, group))


def leaves(ties: Ties, group: int) -> tuple[int, ...]:
    """What a group has become: the one that it is tied to, or the parts of that."""
    root = _root(ties, group)
    return all_leaves(ties, ties.split[root]) if root in ties.split else (root,)


def _root(ties: Ties, group: int) -> int:
    while ties.same[group] != group:
        group = ties.same[group] = ties.same[ties.same[group]]
    return group
