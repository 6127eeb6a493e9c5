"""The assignment of rows to columns with the largest sum of scores."""

from weightbridge.model.tensors import Array


def assignment(scores: Array) -> tuple[Array, Array]:
    """The chosen rows, rising, and the column of each; as many as the shorter side has."""
    from scipy.optimize import (
        linear_sum_assignment,
    )  # half a second and 40 MB that most checks can do without

    rows, columns = linear_sum_assignment(scores, maximize=True)
    return rows, columns
