"""Vectors and tables between shapes that differ in axes of length one."""

import numpy as np
import pytest

from weightbridge.model.vectors import vector_pattern
from weightbridge.transforms import apply

CASES = {
    "the same": ((5,), (5,)),
    "a channel axis": ((5,), (1, 5, 1)),
    "groups as one axis": ((1, 2, 3, 1), (6,)),
    "groups and ones": ((2, 3), (1, 6)),
    "a table loses its first axis": ((1, 4, 3), (4, 3)),
    "a table gets one": ((4, 3), (1, 4, 3)),
}


@pytest.mark.parametrize(("source", "target"), CASES.values(), ids=CASES)
def test_the_values_keep_their_order(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    values = np.arange(np.prod(source)).reshape(source)
    found = apply(*vector_pattern(source, target), [values])
    assert found.shape == target
    assert found.ravel().tolist() == values.ravel().tolist()
