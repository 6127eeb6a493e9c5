"""Values of HDF5 attributes: texts, numbers, and lists of them."""

from typing import Any

import h5py
import numpy as np

KINDS = "SOifub"  # numpy's kinds of dtypes


def attribute_value(attribute: Any, shape: tuple[int, ...] | None, dtype: np.dtype[Any]) -> Any:
    """A text, a number, or a list of these; None for an empty dataspace or another type.

    Of objects only texts are read: HDF5 can crash over the lists and references of a damaged file.
    """
    is_other_object = dtype.kind == "O" and h5py.check_string_dtype(dtype) is None
    if shape is None or dtype.kind not in KINDS or is_other_object:
        return None
    value = np.empty(shape, dtype=dtype)
    attribute.read(value)
    if shape == ():
        return decoded(value.item())
    return [decoded(item) for item in value.ravel().tolist()]


def decoded(value: Any) -> Any:
    """Bytes as text, anything else as it is."""
    return value.decode("utf8", "surrogateescape") if isinstance(value, bytes) else value
