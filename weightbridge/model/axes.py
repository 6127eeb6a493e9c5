"""Axis patterns in einops notation: one string is the shape test, the transform and its inverse."""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.errors import RuleError

Lengths = dict[str, int]
Side = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Axes:
    """A parsed pattern: each side is a tuple of dimensions, each a tuple of axis names or numbers."""

    source: Side
    target: Side


@lru_cache(maxsize=1024)
def parse(pattern: str) -> Axes:
    """`o (c h w) -> (h w c) o` as Axes. Raises RuleError unless both sides hold the same names, once each."""
    left, arrow, right = pattern.partition("->")
    axes = Axes(_dimensions(left), _dimensions(right))
    names, target_names = _names(axes.source), _names(axes.target)
    is_permutation = sorted(names) == sorted(target_names) and len(set(names)) == len(names)
    if not arrow or not is_permutation or any(name.isdigit() for name in names + target_names):
        raise RuleError(
            f"axes pattern {pattern!r}: "
            "both sides must hold the same axis names, once each, and no number but 1"
        )
    return axes


def _dimensions(side: str) -> Side:
    parts = re.findall(r"\(([^()]*)\)|(\w+)", side)
    if re.sub(r"\([\w\s]*\)|\w+|\s", "", side):
        raise RuleError(f"axes pattern: cannot read {side.strip()!r}")
    return tuple(tuple(group.split()) if not single else (single,) for group, single in parts)


def _names(side: Side) -> list[str]:
    """All names of a side but `1`."""
    return [name for group in side for name in group if name != "1"]


@lru_cache(maxsize=1 << 14)
def expand(pattern: str, source: tuple[int, ...], target: tuple[int, ...] = ()) -> str:
    """The pattern with `...` written out: `s0 s1 ...` where both sides have it, `1 1 ...` where one has."""
    if "..." not in pattern:
        return pattern
    left, _, right = pattern.partition("->")
    side, shape = (left, source) if "..." in left else (right, target)
    named = len(_dimensions(side.replace("...", " ")))
    shared = "..." in left and "..." in right
    spatial = " ".join(f"s{n}" if shared else "1" for n in range(max(len(shape) - named, 0)))
    return " ".join(pattern.replace("...", spatial).split())


def inverse(pattern: str) -> str:
    left, _, right = pattern.partition("->")
    return f"{right.strip()} -> {left.strip()}"


def solve(
    pattern: str, source: tuple[int, ...], target: tuple[int, ...], known: Mapping[str, int] | None = None
) -> Lengths | None:
    """The length of every axis where both shapes fit the pattern, else None.

    `known` gives lengths that the shapes cannot show (those of a Flatten's input). An axis that stays unknown
    does not fit.
    """
    lengths = _solved(pattern, source, target, tuple((known or {}).items()))
    return None if lengths is None else dict(lengths)


@lru_cache(maxsize=1 << 14)  # large models have few shapes
def _solved(
    pattern: str, source: tuple[int, ...], target: tuple[int, ...], known: tuple[tuple[str, int], ...]
) -> Lengths | None:
    axes = parse(pattern)
    if len(axes.source) != len(source) or len(axes.target) != len(target):
        return None
    names = set(_names(axes.source))
    lengths = {name: size for name, size in known if name in names}
    groups = [*zip(axes.source, source, strict=True), *zip(axes.target, target, strict=True)]
    for _ in range(len(groups)):
        if not all(_fits(group, size, lengths) for group, size in groups):
            return None
    return lengths if names <= lengths.keys() else None


def _fits(group: tuple[str, ...], size: int, lengths: Lengths) -> bool:
    """False on a contradiction; fills in the only unknown axis of a group."""
    unknown = [n for n in group if not n.isdigit() and n not in lengths]
    rest = prod(lengths[n] for n in group if n in lengths)
    if not unknown:
        return rest == size
    if len(unknown) > 1:
        return True
    if rest == 0 or size % rest:
        return False
    lengths[unknown[0]] = size // rest
    return True


def is_identity(pattern: str) -> bool:
    """True where the pattern moves nothing."""
    axes = parse(pattern)
    return axes.source == axes.target


def merges_or_drops(pattern: str) -> bool:
    """True where the pattern does more than permute axes (reshapes too)."""
    axes = parse(pattern)
    return sorted(axes.source) != sorted(axes.target)
