"""Tensors that a file keeps in another order of axes than their operation reads, which is what rules mean."""

from math import prod

from weightbridge.matching.joining.sides import Side
from weightbridge.model.axes import inverse, is_identity
from weightbridge.model.layouts import VECTORS, AxisNames, names_within, split, usual_axes


def stored(side: Side) -> AxisNames | None:
    """The axes of a stored tensor where they differ from its operation's, () where they cannot be told, None
    where they are the same or the operation has none to speak of.
    """
    if side.layer.op == "Dense":  # a dense layer says it by `transposed`
        return None
    names, seen = split(side.tensor.axes), seen_axes(side)
    if not seen or names == seen:
        return None
    known = {"1", *seen, *(name for axis in seen for name in names_within(axis))}
    return names if side.tensor.role not in VECTORS and known.issuperset(names) else ()


def seen_axes(side: Side) -> AxisNames:
    """The axes that the operation itself reads."""
    return split(usual_axes(side.graph.framework, side.layer, side.tensor))


def seen_shape(names: AxisNames, seen: AxisNames, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in the operation's order."""
    known = dict(zip(names, shape, strict=True))
    return tuple(known.get(axis, prod(known.get(name, 1) for name in names_within(axis))) for axis in seen)


def from_stored(pattern: str, names: AxisNames, seen: AxisNames) -> str:
    """The pattern that starts from the stored order, "" where that already is the target's."""
    left, _, right = (pattern or f"{' '.join(seen)} -> {' '.join(seen)}").partition("->")
    renamed = dict(zip(seen, split(left), strict=True))
    for axis, group in tuple(renamed.items()):
        renamed.update(zip(names_within(axis), names_within(group), strict=False))
    kept = [renamed.get(name, "1") for name in names]
    lost = set(right.split()) - _plain_names(kept)  # axes of length one that lost their name
    ended = ["1" if name in lost and name.isidentifier() else name for name in right.split()]
    turned = f"{' '.join(kept)} -> {' '.join(ended)}"
    return "" if is_identity(turned) else turned


def to_stored(pattern: str, names: AxisNames, seen: AxisNames) -> str:
    """The pattern that ends in the stored order: the one that starts from it, turned round."""
    turned = from_stored(inverse(pattern) if pattern else "", names, seen)
    return inverse(turned) if turned else ""


def _plain_names(axes: list[str]) -> set[str]:
    return set(" ".join(axes).replace("(", "").replace(")", "").split())
