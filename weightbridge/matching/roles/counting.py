"""Counting from another number: `norm1`, `norm2` beside `0_bn`, `1_bn` are the first and the second, not one name in common."""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.matching.names import is_automatic
from weightbridge.matching.roles.blocks import Words
from weightbridge.matching.roles.leaf_roles import Role

BEFORE = "pre"  # what stands before the first one may have this word in place of a number


def in_step(source: Sequence[Role], target: Sequence[Role]) -> tuple[list[Role], list[Role]]:
    """Both sides with the numbers of equal kinds and sizes counted from 0, where they number as many otherwise than each other."""
    left, right = _groups(source), _groups(target)
    found = list(source), list(target)
    for key in left.keys() & right.keys():
        ours, theirs = ([_number(roles[i].inner) for i in places] for roles, places in ((source, left[key]), (target, right[key])))
        if len(ours) == len(theirs) > 1 and _counts(ours) and _counts(theirs) and set(ours) != set(theirs):
            _count(found[0], left[key], ours)
            _count(found[1], right[key], theirs)
    return found


def _count(roles: list[Role], places: Sequence[int], numbers: Sequence[int | None]) -> None:
    ranks = {number: rank for rank, number in enumerate(sorted(n for n in numbers if n is not None))}
    for i, number in zip(places, numbers, strict=True):
        roles[i] = replace(roles[i], inner=_renumbered(roles[i].inner, ranks[number] if number is not None else 0))


def _groups(roles: Sequence[Role]) -> dict[tuple[str, int], list[int]]:
    """Of layers that somebody has numbered: a framework's counter (`conv2d_17`) goes through the whole model."""
    found: dict[tuple[str, int], list[int]] = {}
    for i, role in enumerate(roles):
        if is_automatic(role.leaf.name) and any(map(str.isalpha, role.leaf.name)):
            continue
        found.setdefault((role.leaf.kind, role.leaf.size), []).append(i)
    return found


def _number(inner: Words) -> int | None:
    numbers = [int(w) for w in inner if w.isdecimal() and w.isascii()]
    return numbers[0] if len(numbers) == 1 else -1 if not numbers and BEFORE in inner else None


def _counts(numbers: Sequence[int | None]) -> bool:
    return None not in numbers and len(set(numbers)) == len(numbers)


def _renumbered(inner: Words, rank: int) -> Words:
    return (*(w for w in inner if not w.isdigit()), str(rank))
