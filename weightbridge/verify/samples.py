"""The user's own samples: an .npz of one array per input, or `x` for the only one."""

from collections.abc import Sequence
from pathlib import Path

from weightbridge.errors import UsageError
from weightbridge.formats.arrays import read_arrays
from weightbridge.model.tensors import Array
from weightbridge.verify.pairing import InputPair

MOST = 8  # samples that are run; more prove little and take long


def read_samples(path: Path, pairs: Sequence[InputPair]) -> dict[str, Array]:
    """The first samples of each input, by the reference's names. UsageError for a wrong file or shape."""
    arrays = read_arrays(path, "the probe file")
    is_only = len(pairs) == 1
    samples = {pair.reference.name: _of(arrays, pair, path, is_only) for pair in pairs}
    count = min(MOST, *(len(array) for array in samples.values()))
    return {name: array[:count] for name, array in samples.items()}


def _of(arrays: dict[str, Array], pair: InputPair, path: Path, is_only: bool) -> Array:
    array = _named(arrays, pair, is_only)
    if array is None:
        message = f"no array for input {pair.reference.name!r}, only {sorted(arrays)}"
        raise UsageError(message, where=str(path), fix="Name one array after each input")
    if array.ndim != len(pair.shape) or not _fits(array, pair.shape) or not len(array):
        message = f"input {pair.reference.name!r} is {array.shape}, expected {pair.shape}"
        raise UsageError(message, where=str(path), fix="Put the batch first; None is any length")
    return pair.reference.typed(_of_batch(array, pair, path))


def _named(arrays: dict[str, Array], pair: InputPair, is_only: bool) -> Array | None:
    names = (pair.reference.name, pair.candidate.name, *(("x",) if is_only else ()))
    return next((arrays[name] for name in names if name in arrays), None)


def _fits(array: Array, expected: tuple[int | None, ...]) -> bool:
    """Whether all lengths but the batch's are those expected."""
    lengths = zip(expected[1:], array.shape[1:], strict=True)
    return all(wanted is None or wanted == length for wanted, length in lengths)


def _of_batch(array: Array, pair: InputPair, path: Path) -> Array:
    """As many samples as a model with a fixed batch takes."""
    batch = pair.shape[0]
    if batch is None:
        return array
    if len(array) < batch:
        message = f"input {pair.reference.name!r} has {len(array)} samples, the model takes {batch} at once"
        raise UsageError(message, where=str(path), fix="Give more samples")
    return array[:batch]
