"""Layers of one tensor that one side knows by class and the other does not: a scale per channel, a table of
positions.
"""

from collections import Counter
from dataclasses import replace

from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import AFFINE

VECTOR = "Vector"  # the family of scales and shifts beside a custom layer with one vector


def with_vectors(one: Reduced, other: Reduced) -> tuple[Reduced, Reduced]:
    """Both graphs; lone products and sums with a vector are of one family with layers of unknown class that
    hold a vector as long.
    """
    sizes = [Counter(u.size for u in side.units if _is_vector(u)) for side in (one, other)]
    common = frozenset(
        (sizes[0] & sizes[1])
        if any(u.layer.op == "Opaque" for side in (one, other) for u in side.weighted)
        else ()
    )
    if not common:
        return one, other
    return _renamed(one, common), _renamed(other, common)


def _is_vector(unit: Unit) -> bool:
    if len(unit.tensors) != 1 or len(unit.members) != 1 or sum(n > 1 for n in unit.tensors[0][1].shape) != 1:
        return False
    return unit.layer.op == "Opaque" or (
        unit.layer.op in AFFINE and not unit.layer.attributes.get("is_inverse")
    )


def _renamed(side: Reduced, sizes: frozenset[int]) -> Reduced:
    return replace(
        side,
        units=tuple(
            replace(u, family=VECTOR) if u.size in sizes and _is_vector(u) else u for u in side.units
        ),
    )


def lone_tensor(source: Unit, target: Unit) -> Tensor | None:
    """The only tensor of the source, for the only one of the target, where one of the two layers is of
    unknown class.
    """
    if (
        len(source.tensors) != 1
        or len(target.tensors) != 1
        or "Opaque" not in (source.layer.op, target.layer.op)
    ):
        return None
    inverse = source.layer.attributes.get("is_inverse") or target.layer.attributes.get("is_inverse")
    return None if inverse else source.tensors[0][1]
