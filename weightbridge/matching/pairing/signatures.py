"""Signatures: a number for everything above a unit, one for everything below it, with or without widths. O(V
+ E).

Own numbers, because networkx's Weisfeiler-Lehman labels cannot tell repeated blocks apart and changed between
versions. Two units have
one number where they are of one kind and what feeds them has the same numbers: nothing is hashed to fewer
bits, so none meet by chance.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from itertools import count

from weightbridge.boundary.records import dataclass
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.vocabulary import COMMUTATIVE

Label = Callable[[Unit], str]
INPUT = -1  # the sign of what comes from outside
OUTSIDE = -1  # in place of the place of a unit


@dataclass(frozen=True, slots=True)
class Signatures:
    """Per unit, in their order.

    The number of its ancestors and itself (`up`), and of its descendants and itself (`down`).
    """

    up: Sequence[int]
    down: Sequence[int]


def with_widths(unit: Unit) -> str:
    return f"{unit.family}:{unit.size}"


def without_widths(unit: Unit) -> str:
    return unit.family


def signatures(source: Reduced, target: Reduced, label: Label) -> tuple[Signatures, Signatures]:
    """Of both sides, comparable with each other alone."""
    numbers: defaultdict[Hashable, int] = defaultdict(count().__next__)
    return _of(source, label, numbers), _of(target, label, numbers)


def _of(reduced: Reduced, label: Label, numbers: defaultdict[Hashable, int]) -> Signatures:
    units = reduced.units
    labels = [label(unit) for unit in units]
    mixes = [unit.family in COMMUTATIVE for unit in units]
    fed = [[reduced.position.get(name, OUTSIDE) for name in reduced.parents[unit.name]] for unit in units]
    up = _upward(labels, mixes, fed, numbers)
    return Signatures(up, _downward(labels, mixes, fed, numbers))


def _upward(
    labels: Sequence[Hashable],
    mixes: Sequence[bool],
    fed: Sequence[Sequence[int]],
    numbers: defaultdict[Hashable, int],
) -> list[int]:
    """A number for each unit and all that feeds it; a unit that mixes its inputs has them in any order."""
    up = [INPUT] * (len(labels) + 1)  # the last one stands for what is outside
    for i, feeding in enumerate(fed):
        signs = [up[parent] for parent in feeding]
        up[i] = numbers[labels[i], *(sorted(signs) if mixes[i] else signs)]
    return up[:-1]


def _downward(
    labels: Sequence[Hashable],
    mixes: Sequence[bool],
    fed: Sequence[Sequence[int]],
    numbers: defaultdict[Hashable, int],
) -> list[int]:
    """A number for each unit and all that reads it."""
    read: list[list[tuple[tuple[int, ...], int]]] = [[] for _ in labels]
    down = [INPUT] * len(labels)
    for i in reversed(range(len(labels))):
        down[i] = numbers[labels[i], *sorted(read[i])]
        inside = [parent for parent in fed[i] if parent != OUTSIDE]
        for parent in inside:
            ports = () if mixes[i] else _ports(fed[i], parent)
            read[parent].append((ports, down[i]))
    return down


def _ports(feeding: Sequence[int], parent: int) -> tuple[int, ...]:
    """Which inputs of a unit that does not mix them one that feeds it has."""
    return tuple(i for i, p in enumerate(feeding) if p == parent)
