"""The scopes of a picture: a frame round the boxes of one name scope, where nothing else is inside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from weightbridge.views.places import Box

PAD, LABEL = 5.0, 12.0
MOST = 200  # scopes in one picture


@dataclass(frozen=True, slots=True)
class Scope:
    """A prefix of names that ends at a slash, and the frame round its boxes."""

    name: str
    box: Box


def scopes(members: Sequence[Sequence[str]], boxes: Sequence[Box]) -> tuple[Scope, ...]:
    """Outer ones first. A scope whose frame would hold or cut a box of another is left out."""
    inside: dict[str, list[int]] = {}
    for i, names in enumerate(members):
        for scope in _common(names):
            inside.setdefault(scope, []).append(i)
    first = sorted(inside.items())[:MOST]
    framed = (_framed(scope, own, boxes) for scope, own in first if 1 < len(own) < len(boxes))
    return tuple(scope for scope in framed if scope is not None)


def _common(names: Sequence[str]) -> list[str]:
    """The scopes that all layers of a box are in, outer ones first."""
    first, *others = [_prefixes(name) for name in names]
    return [scope for scope in first if all(scope in prefixes for prefixes in others)]


def _prefixes(name: str) -> list[str]:
    """a/b/c -> a, a/b"""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _framed(scope: str, own: Sequence[int], boxes: Sequence[Box]) -> Scope | None:
    frame = _frame([boxes[i] for i in own])
    inside = frozenset(own)
    others = (box for i, box in enumerate(boxes) if i not in inside)
    return None if any(overlap(frame, box) for box in others) else Scope(scope, frame)


def _frame(boxes: Sequence[Box]) -> Box:
    left = min(box.left for box in boxes) - PAD
    right = max(box.right for box in boxes) + PAD
    top = min(box.y for box in boxes) - LABEL
    bottom = max(box.bottom for box in boxes) + PAD
    return Box((left + right) / 2, top, right - left, bottom - top)


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a point inside."""
    is_beside = abs(a.x - b.x) * 2 >= a.width + b.width
    is_above = a.bottom <= b.y
    is_below = b.bottom <= a.y
    return not (is_beside or is_above or is_below)
