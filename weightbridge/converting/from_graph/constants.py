"""Constants that stand in the file, as Keras writes arrays in a configuration."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.layout import Layout
from weightbridge.errors import Unsupported

LARGEST = 3.4028234663852886e38  # of float32


def array(numbers: Any, layout: Layout, order: Sequence[int]) -> Any:
    """A number as it is; an array with its axes as Keras has those of the value beside it."""
    if isinstance(numbers, dict):
        raise Unsupported("has a constant that is a weight, which Keras's operation does not take")
    if not isinstance(numbers, tuple):
        return numbers
    values = np.asarray(numbers)
    if values.ndim > layout.rank:
        raise Unsupported("has a constant of more axes than its input")
    spread = values.reshape((1,) * (layout.rank - values.ndim) + values.shape)
    return written(np.transpose(spread, tuple(order)))


def written(values: Any) -> dict[str, Any]:
    dtype = "float32" if values.dtype.kind == "f" else "int32" if values.dtype.kind in "iu" else "bool"
    return {"class_name": "__numpy__", "config": {"value": values.tolist(), "dtype": dtype}}
