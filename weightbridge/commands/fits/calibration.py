"""What a fit is made from: inputs of a model that has one, their hash, and labels as numbers of classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from weightbridge.commands.fits.noise import is_noise, noise
from weightbridge.errors import UsageError
from weightbridge.formats.calibration import calibration
from weightbridge.formats.running import InputSpec
from weightbridge.model.tensors import Array

FEWEST = 10  # inputs: with less there is nothing to hold out


@dataclass(frozen=True, slots=True)
class FitInputs:
    """Inputs, labels as numbers of classes or None, and the SHA-256 of the inputs.

    is_noise: there are none; x is noise, whose range the source tells.
    """

    x: Array
    y: Array | None
    sha256: str
    is_noise: bool = False


def fit_inputs(data: Any, specs: Sequence[InputSpec]) -> FitInputs:
    """data: as `--calibrate` takes it. specs: the inputs of the source, one of floats.

    Raises UsageError for inputs that do not fit, are too few or alike, or have labels that are no classes.
    """
    if is_noise(data):
        x = noise(specs[0])
        return FitInputs(x, None, _digest(x), is_noise=True)
    where = str(data) if isinstance(data, str) or hasattr(data, "__fspath__") else "calibrate"
    found = calibration(data, specs)
    x = np.asarray(next(iter(found.inputs.values())), dtype="float32")
    if len(x) < FEWEST:
        raise UsageError(f"{len(x)} inputs, expected {FEWEST} or more", where=where, fix="give 50 or more")
    if (x == x[:1]).all():
        raise UsageError(
            f"{len(x)} inputs that are all the same", where=where, fix="give 50 or more that differ"
        )
    return FitInputs(x, None if found.labels is None else _classes(found.labels, where), _digest(x))


def _digest(x: Array) -> str:
    return sha256(f"{x.shape}".encode() + x.tobytes()).hexdigest()


def refuse_other_shapes(inputs: FitInputs, specs: Sequence[InputSpec]) -> None:
    """specs: the inputs of the target. UsageError where it does not take what the source takes."""
    wanted, given = specs[0], inputs.x.shape
    if not wanted.takes(given):
        message = f"the inputs are {given}, as the source takes them, and the target takes {wanted.shape}"
        raise UsageError(message, fix="build the target for the source's inputs: both see the same ones")


def _classes(y: Array, where: str) -> Array:
    """One-hot rows become their numbers."""
    y = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)[:, 0]
    if y.dtype.kind not in "biuf" or (y.astype("float64") % 1 != 0).any():
        message = f"the labels are {y.dtype}, expected numbers of classes"
        raise UsageError(message, where=where, fix="number the classes from 0, or leave the labels out")
    return np.asarray(y, dtype="int64")
