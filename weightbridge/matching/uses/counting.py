"""Counting from another number: `norm1`, `norm2` beside `0_bn`, `1_bn` are the first and the second, not one
name in common.
"""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import Use

Numbers = tuple[int, ...]
BEFORE = "pre"  # what stands before the first one may have this word in place of a number


def in_step(source: Sequence[Use], target: Sequence[Use]) -> tuple[list[Use], list[Use]]:
    """Both sides with the numbers of equal kinds and sizes counted from 0, where they number as many
    otherwise than each other.
    """
    left, right = _groups(source), _groups(target)
    found = list(source), list(target)
    for key in left.keys() & right.keys():
        ours, theirs = (
            _numbers([roles[i].inner for i in places])
            for roles, places in ((source, left[key]), (target, right[key]))
        )
        if len(ours) == len(theirs) > 1 and set(ours) != set(theirs):
            _count(found[0], left[key], ours)
            _count(found[1], right[key], theirs)
    return found


def _count(roles: list[Use], places: Sequence[int], numbers: Sequence[Numbers]) -> None:
    ranks = {number: rank for rank, number in enumerate(sorted(numbers))}
    for i, number in zip(places, numbers, strict=True):
        roles[i] = replace(roles[i], inner=_renumbered(roles[i].inner, ranks[number]))


def _groups(roles: Sequence[Use]) -> dict[tuple[str, int], list[int]]:
    """Of layers that somebody has numbered: a framework's counter (`conv2d_17`) goes through the whole model."""
    found: dict[tuple[str, int], list[int]] = {}
    for i, role in enumerate(roles):
        if is_automatic(role.leaf.name) and any(map(str.isalpha, role.leaf.name)):
            continue
        found.setdefault((role.leaf.kind, role.leaf.size), []).append(i)
    return found


def _numbers(names: Sequence[Words]) -> list[Numbers]:
    """The numbers of each name; nothing where they do not count: two alike, one without, or several in names
    that differ in their words.
    """
    found = [tuple(int(w) for w in name if w.isdecimal() and w.isascii()) for name in names]
    schemes = {tuple("" if w.isdecimal() else w for w in name) for name in names}
    is_one_count = len(schemes) == 1 or all(
        len(n) == 1 or (not n and BEFORE in name) for n, name in zip(found, names, strict=True)
    )
    return found if is_one_count and len(set(found)) == len(found) else []


def _renumbered(inner: Words, rank: int) -> Words:
    return (*(w for w in inner if not w.isdigit()), str(rank))
