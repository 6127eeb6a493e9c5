"""Labels as classes and as targets of a regression."""

from dataclasses import dataclass

import numpy as np

from weightbridge.errors import UsageError
from weightbridge.model.tensors import Array

LEAST = 2  # inputs of a class


@dataclass(frozen=True, slots=True)
class Labels:
    """targets: (inputs, outputs); classes: numbers from 0 on, None where labels are measured values."""

    targets: Array
    classes: Array | None

    @property
    def chance(self) -> float:
        """The share of the largest class."""
        return 0.0 if self.classes is None else float(np.bincount(self.classes).max() / len(self.classes))


def labels_of(array: Array | None, where: str) -> Labels:
    """Whole numbers and texts are classes, rows of one 1 among 0 too; other numbers are values to predict."""
    if array is None:
        fix = "Write it with numpy.savez(path, x=inputs, y=labels)"
        raise UsageError("there are no labels (y), which advice is about", where=where, fix=fix)
    array = _plain(array)
    if array.ndim > 2 or array.dtype.kind not in "biufSU":
        raise UsageError(f"labels of shape {array.shape} and dtype {array.dtype}", where=where, fix=ONE)
    if array.ndim == 1 and array.dtype.kind != "f":
        return _classes(array, where)
    values = _finite(array.reshape(len(array), -1).astype(np.float64), where)
    if (values == values[:1]).all():
        raise UsageError("all labels are one value", where=where, fix="Give inputs whose labels differ")
    return Labels(values, None)


def _plain(array: Array) -> Array:
    """A column as a row, one-hot rows and whole floats as whole numbers."""
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if array.ndim == 2 and _is_one_hot(array):
        return np.asarray(array.argmax(axis=1))
    is_whole = array.ndim == 1 and array.dtype.kind == "f" and np.array_equal(array, np.round(array))
    return array.astype(np.int64) if is_whole else array


ONE = "Give one class or one value for each input"


def _is_one_hot(array: Array) -> bool:
    is_binary = array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all())
    return is_binary and array.shape[1] > 1 and bool((array.sum(axis=1) == 1).all())


def _finite(array: Array, where: str) -> Array:
    if not np.isfinite(array).all():
        raise UsageError("labels hold NaN or Inf", where=where, fix="Leave these inputs out")
    return array


def _classes(array: Array, where: str) -> Labels:
    names, classes, counts = np.unique(array, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise UsageError("all labels are one class", where=where, fix="Give inputs of two classes or more")
    if counts.min() < LEAST:
        rare = str(names[counts.argmin()])
        message = f"class {rare} has {counts.min()} input, expected {LEAST} or more of each"
        raise UsageError(message, where=where, fix="Give more inputs of it, or leave it out")
    return Labels(np.eye(len(names))[classes.reshape(-1)], classes.reshape(-1))
