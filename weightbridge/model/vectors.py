"""Vectors, whose axes mean the same everywhere.

Axes of length one come and go, the sign may be the other.
"""

from collections.abc import Sequence
from typing import Any

from weightbridge.model.graph import Layer

Transform = tuple[str, dict[str, Any]]
LETTERS = "abcdefgh"


def vector_pattern(source: tuple[int, ...], target: tuple[int, ...]) -> Transform:
    """`1 1 g c -> (g c)`.

    The longer axes in their order, as one axis of the target, or each as its own where it has as many.
    """
    names = labelled(source, LETTERS)
    lengths = {name: n for name, n in zip(names, source, strict=True) if n != 1}
    is_joined = len(lengths) > sum(n > 1 for n in target)
    kept = labelled(target, [f"({' '.join(lengths)})"] if is_joined else list(lengths))
    pattern = "" if source == target else f"{' '.join(names)} -> {' '.join(kept)}"
    return pattern, lengths if is_joined else {}


def labelled(shape: tuple[int, ...], names: Sequence[str]) -> list[str]:
    """The axes of a shape: those of length one as `1`, the others by these names in their order."""
    remaining = iter(names)
    return ["1" if n == 1 else next(remaining) for n in shape]


def signed(found: Transform | None, source: Layer, target: Layer, role: str) -> Transform | None:
    """Where one of the two sides keeps the tensor with the other sign, it is turned over."""
    if found is None or not is_turned_over(source, target, role):
        return found
    transform, parameters = found
    return ("negate", {"pattern": transform, **parameters}) if not transform or "->" in transform else None


def is_turned_over(source: Layer, target: Layer, role: str) -> bool:
    """Whether one of two layers keeps the tensor with the other sign."""
    return (role in source.attributes.get("negated", ())) != (role in target.attributes.get("negated", ()))
