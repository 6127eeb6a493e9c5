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
    """Outer ones first. A scope whose frame would hold or cut a box of another is left out: it would say what
    is not so.
    """
    inside: dict[str, list[int]] = {}
    for i, names in enumerate(members):
        for scope in _common(names):
            inside.setdefault(scope, []).append(i)
    found = (
        _framed(scope, own, boxes)
        for scope, own in sorted(inside.items())[:MOST]
        if 1 < len(own) < len(boxes)
    )
    return tuple(scope for scope in found if scope is not None)


def _common(names: Sequence[str]) -> list[str]:
    """The scopes that all layers of a box are in, outer ones first."""
    prefixes = [_prefixes(name) for name in names]
    return [scope for scope in prefixes[0] if all(scope in others for others in prefixes[1:])]


def _prefixes(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _framed(scope: str, own: Sequence[int], boxes: Sequence[Box]) -> Scope | None:
    left = min(boxes[i].x - boxes[i].width / 2 for i in own) - PAD
    right = max(boxes[i].x + boxes[i].width / 2 for i in own) + PAD
    top = min(boxes[i].y for i in own) - LABEL
    bottom = max(boxes[i].y + boxes[i].height for i in own) + PAD
    frame = Box((left + right) / 2, top, right - left, bottom - top)
    mine = set(own)
    return (
        None
        if any(i not in mine and overlap(frame, box) for i, box in enumerate(boxes))
        else Scope(scope, frame)
    )


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a point inside."""
    return abs(a.x - b.x) * 2 < a.width + b.width and a.y < b.y + b.height and b.y < a.y + a.height
