"""Counting from another number: `norm1`, `norm2` beside `0_bn`, `1_bn` -> the first and the second."""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.uses.blocks import Words
from weightbridge.matching.uses.leaf_uses import Use

Numbers = tuple[int, ...]
BEFORE = "pre"  # what stands before the first one may have this word in place of a number


def in_step(source: Sequence[Use], target: Sequence[Use]) -> tuple[list[Use], list[Use]]:
    """Both sides with the numbers of equal kinds and sizes counted from 0, where they count from others."""
    source_places, target_places = _places(source), _places(target)
    counted_source, counted_target = list(source), list(target)
    for key in source_places.keys() & target_places.keys():
        source_numbers = _numbers([source[i].inner for i in source_places[key]])
        target_numbers = _numbers([target[i].inner for i in target_places[key]])
        has_as_many = len(source_numbers) == len(target_numbers) > 1
        if has_as_many and set(source_numbers) != set(target_numbers):
            _count(counted_source, source_places[key], source_numbers)
            _count(counted_target, target_places[key], target_numbers)
    return counted_source, counted_target


def _places(uses: Sequence[Use]) -> dict[tuple[str, int], list[int]]:
    """Kind and size -> the leaves that somebody has numbered.

    A framework's counter (`conv2d_17`) goes through the whole model and counts nothing.
    """
    places: dict[tuple[str, int], list[int]] = {}
    for i, use in enumerate(uses):
        is_counter = is_automatic(use.leaf.name) and any(map(str.isalpha, use.leaf.name))
        if not is_counter:
            places.setdefault((use.leaf.kind, use.leaf.size), []).append(i)
    return places


def _numbers(names: Sequence[Words]) -> list[Numbers]:
    """The numbers of each name; nothing where they do not count.

    They do not where two are alike, one has none, or names that differ in their words have several.
    """
    numbers = [_numbers_in(name) for name in names]
    if len(set(numbers)) < len(numbers):
        return []
    schemes = {tuple("" if word.isdecimal() else word for word in name) for name in names}
    named = zip(numbers, names, strict=True)
    if len(schemes) == 1 or all(_is_counted(own, name) for own, name in named):
        return numbers
    return []


def _numbers_in(name: Words) -> Numbers:
    return tuple(int(word) for word in name if word.isdecimal() and word.isascii())


def _is_counted(numbers: Numbers, name: Words) -> bool:
    return len(numbers) == 1 or (not numbers and BEFORE in name)


def _count(uses: list[Use], places: Sequence[int], numbers: Sequence[Numbers]) -> None:
    """Replaces the numbers of these leaves by their ranks."""
    ranks = {number: rank for rank, number in enumerate(sorted(numbers))}
    for i, number in zip(places, numbers, strict=True):
        uses[i] = replace(uses[i], inner=_renumbered(uses[i].inner, ranks[number]))


def _renumbered(inner: Words, rank: int) -> Words:
    return (*(w for w in inner if not w.isdigit()), str(rank))
