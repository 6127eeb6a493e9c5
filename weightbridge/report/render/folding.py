"""Folding: rows that say the same of repeated blocks become one row, with braces in its name.

The braces stand for exactly those rows: `conv{2..5}/{kernel,bias}` means every combination. The braces of a
companion name (a step's source) run in step with the row's own.
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import prod
from typing import Any

_VARIABLE = re.compile(r"[0-9]{1,9}|(?<=[/.])[^/.0-9]+$")  # numbers, and the last part of a path: the role
_Values = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """names: the row's own, then its companions.

    details: all else that is shown, hashable; rows fold only where it is equal.
    """

    names: tuple[str, ...]
    details: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """names: patterns that stand for `count` rows; `first` is the index of the first of them."""

    names: tuple[str, ...]
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A row as the variable parts of its own name (`values`) and of its companions."""

    index: int
    values: _Values
    companions: tuple[_Values, ...]


def fold(rows: Sequence[Row]) -> tuple[Folded, ...]:
    """In the order of each group's first row; every row is in exactly one group."""
    groups: defaultdict[Hashable, list[_Member]] = defaultdict(list)
    for index, row in enumerate(rows):
        templates, values = zip(*map(_split, row.names), strict=True)
        own, *companions = values
        groups[templates, row.details].append(_Member(index, own, tuple(companions)))
    parts = (part for members in groups.values() for part in _parts(members))
    folded = [_folded(rows, part) for part in parts]
    return tuple(sorted(folded, key=lambda group: group.first))


@lru_cache(maxsize=1 << 16)  # a name stands in many rows: as what fits as well
def _split(name: str) -> tuple[str, _Values]:
    """A name with its variable parts cut out, and these."""
    return _VARIABLE.sub("\0", name), tuple(_VARIABLE.findall(name))


def _parts(members: list[_Member]) -> list[list[_Member]]:
    """The fewest parts (greedily, from the left) that are products of their values, companions in step."""
    if len(members) == 1 or _is_foldable(members):
        return [members]
    varying = _first_varying(members)
    if varying is None:  # the same name twice
        return [[member] for member in members]
    blocks = _blocks(members, varying)
    alike = _joined(blocks, varying)
    return [part for block in (alike if len(alike) > 1 else blocks) for part in _parts(block)]


def _joined(blocks: list[list[_Member]], column: int) -> list[list[_Member]]:
    """Blocks that hold the same values in all other columns are one."""
    alike: defaultdict[Hashable, list[_Member]] = defaultdict(list)
    for block in blocks:
        alike[frozenset(_without(m.values, column) for m in block)].extend(block)
    return list(alike.values())


def _is_foldable(members: list[_Member]) -> bool:
    return _is_product(members) and all(_is_linked(members, column) for column in _companions(members))


def _first_varying(members: list[_Member]) -> int | None:
    """The first part of the own name that differs between the rows, None where none does."""
    for i in range(len(members[0].values)):
        if len({member.values[i] for member in members}) > 1:
            return i
    return None


def _blocks(members: list[_Member], column: int) -> list[list[_Member]]:
    by_value: defaultdict[str, list[_Member]] = defaultdict(list)
    for member in members:
        by_value[member.values[column]].append(member)
    return list(by_value.values())


def _is_product(members: list[_Member]) -> bool:
    distinct = {member.values for member in members}
    sizes = [len(set(column)) for column in zip(*(m.values for m in members), strict=True)]
    return len(distinct) == len(members) == prod(sizes)


def _companions(members: list[_Member]) -> list[_Values]:
    """The companions' variable parts, column by column."""
    flat = [tuple(value for values in m.companions for value in values) for m in members]
    return list(zip(*flat, strict=True))


def _is_linked(members: list[_Member], column: _Values) -> bool:
    return len(set(column)) == 1 or _link(members, column) is not None


def _link(members: list[_Member], column: _Values) -> int | None:
    """The part of the own name that decides this column, None where none does."""
    for i in range(len(members[0].values)):
        own = [member.values[i] for member in members]
        if len(set(zip(own, column, strict=True))) == len(set(own)):
            return i
    return None


def _folded(rows: Sequence[Row], members: list[_Member]) -> Folded:
    first = members[0].index
    if len(members) == 1:
        return Folded(rows[first].names, 1, first)
    own = [_ordered({m.values[i]: None for m in members}) for i in range(len(members[0].values))]
    braces = [_brace(values) for values in own]
    braces += [_companion_brace(members, column, own) for column in _companions(members)]
    parts = iter(braces)
    names = tuple(_VARIABLE.sub(lambda _: next(parts), name) for name in rows[first].names)
    return Folded(names, len(members), first)


def _companion_brace(members: list[_Member], column: _Values, own: list[list[str]]) -> str:
    """The brace of a companion's variable part, in the order of the part of the own name that decides it."""
    link = _link(members, column) if len(set(column)) > 1 else None
    if link is None:
        return column[0]
    mapped = dict(zip((member.values[link] for member in members), column, strict=True))
    return _brace([mapped[value] for value in own[link]])


def _without(values: _Values, column: int) -> _Values:
    return values[:column] + values[column + 1 :]


def _ordered(values: dict[str, None]) -> list[str]:
    if all(map(_is_number, values)):
        return sorted(values, key=lambda value: (int(value), value))
    return list(values)


def _brace(values: list[str]) -> str:
    """`{1..4,7}`; a range only of numbers that are written alike."""
    if len(set(values)) == 1:
        return values[0]
    runs = [list(run) for _, run in groupby(enumerate(values), key=lambda pair: _offset(*pair))]
    return "{" + ",".join(_run([value for _, value in run]) for run in runs) + "}"


def _run(values: list[str]) -> str:
    return f"{values[0]}..{values[-1]}" if len(values) > 2 else ",".join(values)


def _offset(index: int, value: str) -> Hashable:
    if not _is_number(value):
        return value
    width = len(value) if value.startswith("0") and value != "0" else None
    return (int(value) - index, width)


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit()
