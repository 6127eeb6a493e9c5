"""Tables of values for every pair of leaves, worked out once for each two kinds of leaf."""

from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from weightbridge.matching.uses.leaf_uses import Use


def by_kind(
    value: Callable[[Use, Use], float],
    source: Sequence[Use],
    target: Sequence[Use],
    kind: Callable[[Use], Hashable],
) -> np.ndarray:
    """The value of every pair (rows: source, columns: target); leaves of one kind have the same values."""
    source_kinds, source_examples = kinds_of(source, kind)
    target_kinds, target_examples = kinds_of(target, kind)
    table = table_of(value, source_examples, target_examples)
    values: np.ndarray = table[np.ix_(source_kinds, target_kinds)]
    return values


def table_of(value: Callable[[Use, Use], float], source: Sequence[Use], target: Sequence[Use]) -> np.ndarray:
    """The value of every pair, worked out one by one."""
    table = np.zeros((len(source), len(target)))
    for i, source_use in enumerate(source):
        for j, target_use in enumerate(target):
            table[i, j] = value(source_use, target_use)
    return table


def kinds_of(uses: Iterable[Use], kind: Callable[[Use], Hashable]) -> tuple[np.ndarray, list[Use]]:
    """For each leaf the number of its kind, and the first leaf of each kind."""
    number_of_kind: dict[Hashable, int] = {}
    examples: list[Use] = []
    numbers = []
    for use in uses:
        number = number_of_kind.setdefault(kind(use), len(number_of_kind))
        if number == len(examples):
            examples.append(use)
        numbers.append(number)
    return np.array(numbers, int), examples
