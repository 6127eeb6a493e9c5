"""Layers of one tensor that one side knows by class and the other does not.

A scale per channel, a table of positions.
"""

from dataclasses import replace

from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import AFFINE

VECTOR = "Vector"  # the family of scales and shifts beside a custom layer with one vector


def with_vectors(source: Reduced, target: Reduced) -> tuple[Reduced, Reduced]:
    """Both graphs.

    Lone products and sums with a vector are of one family with layers of unknown class that hold a vector as
    long.
    """
    if not any(unit.layer.op == "Opaque" for unit in (*source.weighted, *target.weighted)):
        return source, target
    common = _vector_sizes(source) & _vector_sizes(target)
    return _renamed(source, common), _renamed(target, common)


def _vector_sizes(side: Reduced) -> frozenset[int]:
    return frozenset(unit.size for unit in side.units if _is_vector(unit))


def _is_vector(unit: Unit) -> bool:
    if len(unit.tensors) != 1 or len(unit.members) != 1:
        return False
    ((_, tensor),) = unit.tensors
    if sum(n > 1 for n in tensor.shape) != 1:
        return False
    is_plain_affine = unit.layer.op in AFFINE and not unit.layer.attributes.get("is_inverse")
    return unit.layer.op == "Opaque" or is_plain_affine


def _renamed(side: Reduced, sizes: frozenset[int]) -> Reduced:
    if not sizes:
        return side
    units = (replace(u, family=VECTOR) if u.size in sizes and _is_vector(u) else u for u in side.units)
    return replace(side, units=tuple(units))


def lone_tensor(source: Unit, target: Unit) -> Tensor | None:
    """The only tensor of the source, for the only one of the target, where one of the two layers is of
    unknown class.
    """
    layers = source.layer, target.layer
    if len(source.tensors) != 1 or len(target.tensors) != 1:
        return None
    is_open = any(layer.op == "Opaque" for layer in layers)
    is_inverse = any(layer.attributes.get("is_inverse") for layer in layers)
    return source.tensors[0][1] if is_open and not is_inverse else None
