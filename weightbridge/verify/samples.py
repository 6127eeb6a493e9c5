"""The user's own samples: an .npz of one array per input, or `x` for the only one."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weightbridge.errors import UsageError
from weightbridge.model.tensors import Array
from weightbridge.verify.pairing import InputPair

MOST = 8  # samples that are run; more prove little and take long


def read_samples(path: Path, pairs: Sequence[InputPair]) -> dict[str, Array]:
    """The first samples of each input, by the reference's names; UsageError where the file or a shape is
    wrong.
    """
    arrays = _read(path)
    found = {pair.reference.name: _of(arrays, pair, path, is_only=len(pairs) == 1) for pair in pairs}
    count = min(len(array) for array in found.values())
    return {name: array[: min(count, MOST)] for name, array in found.items()}


def _read(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file) if not isinstance(file, np.ndarray) else {"x": file}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        fix = "Write it with numpy.savez(path, x=inputs), batch first"
        raise UsageError(
            f"the probe file cannot be read as .npz: {error}", where=str(path), fix=fix
        ) from error


def _of(arrays: dict[str, Array], pair: InputPair, path: Path, is_only: bool) -> Array:
    name = pair.reference.name
    array = arrays.get(name, arrays.get(pair.candidate.name, arrays.get("x") if is_only else None))
    if array is None:
        raise UsageError(
            f"no array for input {name!r}, only {sorted(arrays)}",
            where=str(path),
            fix="Name one array after each input",
        )
    expected = pair.shape
    fits = array.ndim == len(expected) and all(
        n is None or n == m for n, m in zip(expected[1:], array.shape[1:], strict=True)
    )
    if not fits or not len(array):
        raise UsageError(
            f"input {name!r} is {array.shape}, expected {expected}",
            where=str(path),
            fix="Put the batch first; None is any length",
        )
    if expected[0] is not None:
        if len(array) < expected[0]:
            raise UsageError(
                f"input {name!r} has {len(array)} samples, the model takes {expected[0]} at once",
                where=str(path),
                fix="Give more samples",
            )
        array = array[: expected[0]]
    return array.astype(pair.reference.dtype)
