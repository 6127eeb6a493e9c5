"""Signatures: a number for everything above a unit, one for everything below it, with or without widths. O(V + E).

Own numbers, because networkx's Weisfeiler-Lehman labels cannot tell repeated blocks apart and changed between versions. Two units have
one number where they are of one kind and what feeds them has the same numbers: nothing is hashed to fewer bits, so none meet by chance.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import count

from weightbridge.matching.units import COMMUTATIVE, Reduced, Unit

Label = Callable[[Unit], str]
INPUT = -1


@dataclass(frozen=True, slots=True)
class Signatures:
    """Per unit name: the number of its ancestors and itself (`up`), and of its descendants and itself (`down`)."""

    up: Mapping[str, int]
    down: Mapping[str, int]


def with_widths(unit: Unit) -> str:
    return f"{unit.family}:{unit.size}"


def without_widths(unit: Unit) -> str:
    return unit.family


def signatures(source: Reduced, target: Reduced, label: Label) -> tuple[Signatures, Signatures]:
    """Of both sides, comparable with each other alone."""
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return _of(source, label, numbers), _of(target, label, numbers)


def _of(reduced: Reduced, label: Label, numbers: defaultdict[Hashable, int]) -> Signatures:
    labels = {unit.name: label(unit) for unit in reduced.units}
    up: dict[str, int] = {}
    for unit in reduced.units:
        feeding = [up.get(p, INPUT) for p in reduced.parents[unit.name]]
        up[unit.name] = numbers[labels[unit.name], *(sorted(feeding) if unit.family in COMMUTATIVE else feeding)]
    down: dict[str, int] = {}
    for unit in reversed(reduced.units):
        reading = [(_ports(reduced, unit.name, child), down[child]) for child in reduced.children[unit.name]]
        down[unit.name] = numbers[labels[unit.name], *sorted(reading)]
    return Signatures(up, down)


def _ports(reduced: Reduced, name: str, child: str) -> tuple[int, ...]:
    """Which inputs of an order-sensitive child this unit feeds."""
    if reduced.by_name[child].family in COMMUTATIVE:
        return ()
    return tuple(i for i, p in enumerate(reduced.parents[child]) if p == name)
