"""Vectors, whose axes mean the same everywhere: axes of length one come and go, the sign may be the other."""

from typing import Any

from weightbridge.model.graph import Layer

Transform = tuple[str, dict[str, Any]]


def vector_pattern(source: tuple[int, ...], target: tuple[int, ...]) -> Transform:
    """`1 1 g c -> (g c)`: the longer axes in their order, as one axis of the target, or each as its own where
    it has as many.
    """
    letters = iter("abcdefgh")
    names = ["1" if n == 1 else next(letters) for n in source]
    long = [n for n in names if n != "1"]
    is_joined = len(long) > sum(n > 1 for n in target)
    kept = iter([f"({' '.join(long)})"] if is_joined else long)
    right = " ".join("1" if n == 1 else next(kept) for n in target)
    lengths = {name: n for name, n in zip(names, source, strict=True) if name != "1"} if is_joined else {}
    return ("" if source == target else f"{' '.join(names)} -> {right}"), lengths


def signed(found: Transform | None, source: Layer, target: Layer, role: str) -> Transform | None:
    """Where one of the two sides keeps the tensor with the other sign, it is turned over."""
    if found is None or not is_turned_over(source, target, role):
        return found
    transform, parameters = found
    return ("negate", {"pattern": transform, **parameters}) if not transform or "->" in transform else None


def is_turned_over(source: Layer, target: Layer, role: str) -> bool:
    """Whether one of two layers keeps the tensor with the other sign."""
    return (role in source.attributes.get("negated", ())) != (role in target.attributes.get("negated", ()))
