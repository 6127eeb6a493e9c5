"""An .npz of the user's: arrays by name, nothing executed, no declared size believed before it is checked."""

import zipfile
from pathlib import Path

import numpy as np

from weightbridge.errors import UsageError, WeightbridgeError
from weightbridge.formats.containers import archive, refuse_bomb
from weightbridge.model.tensors import Array

FIX = "Write it with numpy.savez(path, x=inputs), batch first"


def read_arrays(path: Path, what: str) -> dict[str, Array]:
    """The arrays of an `.npz`, or that of an `.npy` as `x`. what: what messages call the file.

    Raises UsageError for what cannot be read, holds Python objects, or expands to far more than it holds.
    """
    try:
        if not zipfile.is_zipfile(path):
            # mapped, so that a size which the file does not have is noticed before room is made for it
            return {"x": np.array(np.load(path, mmap_mode="r", allow_pickle=False))}
        _check_members(path)
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except WeightbridgeError as error:
        raise _unread(path, what, error.message) from error
    except Exception as error:  # numpy's reader of headers raises what Python's tokenizer does, too
        raise _unread(path, what, str(error)) from error


def _check_members(path: Path) -> None:
    """Numpy makes room for what a member's header declares before it reads the values."""
    with archive(path) as opened:
        for info in opened.infolist():
            refuse_bomb(info, str(path))
            with opened.open(info) as member:
                declared = _declared(member, info.filename)
            if declared > info.file_size:
                message = f"{info.filename} declares {declared:,} bytes of values in {info.file_size:,}"
                raise ValueError(message)


def _declared(member: object, name: str) -> int:
    """The bytes of values that the header of an `.npy` declares."""
    version = np.lib.format.read_magic(member)  # type: ignore[arg-type]  # a member of a zip is a file
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} is of version {version} of the .npy format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)  # type: ignore[arg-type]
    count = 1
    for length in shape:
        count *= length
    return int(count * dtype.itemsize)


def _unread(path: Path, what: str, why: str) -> UsageError:
    return UsageError(f"{what} cannot be read as .npz: {why}", where=str(path), fix=FIX)
