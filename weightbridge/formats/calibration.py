"""Calibration data: inputs of a model by their names, batch first, and labels where they are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.errors import UsageError
from weightbridge.formats.arrays import read_arrays
from weightbridge.formats.running import InputSpec
from weightbridge.model.tensors import Array

LEAST = 2  # one input has no variance
ONLY, LABELS = "x", "y"
FEWER = "Name one array after each input of the model, or `x` for the only one, and `y` for labels"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inputs by name, as many of each, in the dtypes of the model; labels, one an input, or None."""

    inputs: Mapping[str, Array]
    labels: Array | None = field(default=None)

    @property
    def count(self) -> int:
        return len(next(iter(self.inputs.values())))


def calibration(data: Any, specs: Sequence[InputSpec]) -> Calibration:
    """The arrays that a model with these inputs is calibrated by.

    data: the path of an `.npz`, one array for the only input, or arrays by name: `x` (or the input's name),
        batch first, and `y`, the labels.
    Raises UsageError where an input has no array, an array no input, or one does not fit.
    """
    arrays, where = _arrays(data)
    inputs = {spec.name: _of(arrays, spec, specs, where) for spec in specs}
    counts = {name: len(array) for name, array in inputs.items()}
    if len(set(counts.values())) > 1:
        raise _refused(f"the inputs are of different lengths: {counts}", where, "Give as many of each")
    labels = None if LABELS in inputs else arrays.get(LABELS)
    _refuse_strangers(arrays, inputs, specs, where)
    count = next(iter(counts.values()))
    if labels is not None and (not labels.ndim or len(labels) != count):
        raise _refused(
            f"{count} inputs have labels of shape {labels.shape}", where, "Give one label an input"
        )
    return Calibration(inputs, labels)


def _arrays(data: Any) -> tuple[dict[str, Array], str]:
    if isinstance(data, str | Path):
        return read_arrays(Path(data), "the calibration file"), str(data)
    if isinstance(data, Mapping):
        return {str(name): np.asarray(array) for name, array in data.items()}, "calibrate"
    return {ONLY: np.asarray(data)}, "calibrate"


def _of(arrays: Mapping[str, Array], spec: InputSpec, specs: Sequence[InputSpec], where: str) -> Array:
    names = (spec.name, *((ONLY,) if len(specs) == 1 else ()))
    array = next((arrays[name] for name in names if name in arrays), None)
    if array is None:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise _refused(f"there is no array for input {spec.name!r}, only {held}", where, FEWER)
    _check(array, spec, where)
    return spec.typed(array)


def _check(array: Array, spec: InputSpec, where: str) -> None:
    if not spec.takes(array.shape):
        message = f"input {spec.name!r} is {array.shape}, expected {spec.shape}"
        raise _refused(message, where, "Put the batch first; None is any length")
    if len(array) < LEAST:
        raise _refused(f"{len(array)} inputs, expected {LEAST} or more", where, "Give 50 or more")
    if spec.shape[0] is not None and len(array) % spec.shape[0]:
        message = f"input {spec.name!r} has {len(array)} rows, and the model takes {spec.shape[0]} at once"
        raise _refused(message, where, "Give a multiple of that")
    if (array.dtype.kind == "f") and not np.isfinite(array).all():
        raise _refused(f"input {spec.name!r} holds NaN or Inf", where, "Leave these inputs out")
    if array.dtype.kind not in ("OSU" if spec.dtype == "string" else "biuf"):
        raise _refused(f"input {spec.name!r} is of dtype {array.dtype}, expected {spec.dtype}", where, FEWER)


def _refuse_strangers(
    arrays: Mapping[str, Array], inputs: Mapping[str, Array], specs: Sequence[InputSpec], where: str
) -> None:
    """No array is dropped in silence."""
    known = {*inputs, LABELS, *((ONLY,) if len(specs) == 1 and specs[0].name not in arrays else ())}
    strangers = sorted(set(arrays) - known)
    if strangers:
        raise _refused(f"{', '.join(map(repr, strangers))}: the model has no such input", where, FEWER)


def _refused(message: str, where: str, fix: str) -> UsageError:
    return UsageError(message, where=where, fix=fix)
