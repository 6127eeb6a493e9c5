"""Axes in another order or number: `o i x0 x1 -> x0 x1 i o`.

An axis that one side lacks has length one.
"""

from collections.abc import Sequence

import numpy as np

from weightbridge.adapters.letters import Letters
from weightbridge.model.tensors import Array


def pattern(source: Letters, target: Letters) -> str:
    """The pattern that puts the source's axes into the target's order, "" where they stand so already."""
    return "" if source == target else f"{' '.join(source)} -> {' '.join(target)}"


def arranged(array: Array, layout: str) -> Array:
    """The array with its axes in the order of the layout's right side.

    Raises ValueError where an axis to be dropped is longer than one.
    """
    if not layout:
        return array
    left, right = (side.split() for side in layout.split("->"))
    dropped = tuple(n for n, letter in enumerate(left) if letter not in right)
    added = tuple(n for n, letter in enumerate(right) if letter not in left)
    kept = [letter for letter in left if letter in right]
    order = [kept.index(letter) for letter in right if letter in kept]
    squeezed = np.squeeze(array, axis=dropped)
    return np.expand_dims(np.transpose(squeezed, order), added)


def lengths(shape: Sequence[int], source: Letters, target: Letters) -> tuple[int, ...]:
    """The source's length along each of the target's axes; 1 where it has none."""
    known = dict(zip(source, shape, strict=True))
    return tuple(known.get(letter, 1) for letter in target)
