"""Layers whose surroundings are the same, told apart by what they compute.

Their activation, strides, dilation, direction.
"""

from collections.abc import Sequence

from weightbridge.matching.units.effective_attributes import effective_of
from weightbridge.matching.units.units import Reduced

TOLD_BY = ("activation", "recurrent_activation", "strides", "dilation", "go_backwards", "axis")


def same_functions(
    source: Reduced, others: Sequence[str], target: Reduced, names: Sequence[str]
) -> tuple[list[tuple[str, str]], bool]:
    """(source, target) pairs, equals in file order, and whether each is the only one of its function.

    Only in file order where the two sides do not have the same functions.
    """
    left, right = _by_function(source, others), _by_function(target, names)
    if {k: len(v) for k, v in left.items()} != {k: len(v) for k, v in right.items()}:
        return list(zip(others, names, strict=True)), False
    pairs = [pair for k, units in right.items() for pair in zip(left[k], units, strict=True)]
    return pairs, all(len(units) == 1 for units in right.values())


def _by_function(reduced: Reduced, names: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        attributes = effective_of(reduced.graph, reduced.by_name[name])
        found.setdefault(repr([attributes.get(key) for key in TOLD_BY]), []).append(name)
    return found
