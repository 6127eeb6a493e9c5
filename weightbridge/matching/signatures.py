"""Signatures: a hash of everything above a unit, of everything below it, with or without widths. O(V + E).

Own hash, because networkx's Weisfeiler-Lehman labels cannot tell repeated blocks apart and changed between versions.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from weightbridge.matching.units import COMMUTATIVE, Reduced, Unit

Label = Callable[[Unit], str]


@dataclass(frozen=True, slots=True)
class Signatures:
    """Per unit name: the hash of its ancestors and itself (`up`), and of its descendants and itself (`down`)."""

    up: Mapping[str, str]
    down: Mapping[str, str]


def with_widths(unit: Unit) -> str:
    return f"{unit.family}:{unit.size}"


def without_widths(unit: Unit) -> str:
    return unit.family


def signatures(reduced: Reduced, label: Label) -> Signatures:
    up: dict[str, str] = {}
    for unit in reduced.units:
        feeding = [up.get(p, "input") for p in reduced.parents[unit.name]]
        up[unit.name] = _digest(label(unit), sorted(feeding) if unit.family in COMMUTATIVE else feeding)
    down: dict[str, str] = {}
    for unit in reversed(reduced.units):
        reading = (f"{_port(reduced, unit.name, child)}{down[child]}" for child in reduced.children[unit.name])
        down[unit.name] = _digest(label(unit), sorted(reading))
    return Signatures(up, down)


def _port(reduced: Reduced, name: str, child: str) -> str:
    """Which inputs of an order-sensitive child this unit feeds."""
    if reduced.by_name[child].family in COMMUTATIVE:
        return ""
    return ",".join(str(i) for i, p in enumerate(reduced.parents[child]) if p == name) + ":"


def _digest(label: str, parts: Iterable[str]) -> str:
    return blake2b("|".join((label, *parts)).encode(), digest_size=12).hexdigest()
