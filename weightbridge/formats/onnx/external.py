"""External data of ONNX tensors: files beside the model, checked before they are opened."""

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb
from weightbridge.formats.onnx.proto import TensorHeader

DAMAGED = "The file may be truncated or damaged: copy or export it again"


@dataclass(frozen=True, slots=True)
class Place:
    """`nbytes` raw bytes of a file from `start` on."""

    path: Path
    start: int
    nbytes: int


def external_place(path: Path, header: TensorHeader, expected: int) -> Place:
    """The place in another file, which must lie inside the model's folder and hold what is declared."""
    where = f"{path}: {header.name}"
    entries = header.external or {}
    file = external_file(path, entries.get("location", ""), where)
    size = _size(file, where)
    try:
        start = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size - start)
    except ValueError as error:
        message = "the offset or the length of its external data is no number"
        raise Corrupt(message, where=where, fix=DAMAGED) from error
    if start < 0 or length < 0 or start + length > size:
        kind: type[ModelError] = ResourceBomb if expected > size else Corrupt
        message = f"bytes {start} to {start + length} of {file.name}, which holds {size}"
        raise kind(message, where=where, fix=DAMAGED)
    has_length = entries.get("length") not in (None, "", "0")
    fits = length == expected if has_length else length >= expected
    if not fits:
        message = f"{length} bytes in {file.name}, its shape {list(header.dims)} needs {expected}"
        raise Corrupt(message, where=where, fix=DAMAGED)
    return Place(file, start, expected)


def _size(file: Path, where: str) -> int:
    """The bytes of a regular file."""
    try:
        status = os.stat(file, follow_symlinks=False)
    except OSError as error:
        message = f"its data is in {file.name}, which cannot be read: {error.strerror}"
        raise MissingFile(message, where=where, fix="Put the external data beside the model") from error
    if not stat.S_ISREG(status.st_mode):
        message = f"its data is in {file.name}, which is no regular file"
        raise ExternalReference(message, where=where, fix="Put the data itself there")
    return status.st_size


def external_file(path: Path, location: str, where: str) -> Path:
    """The file of external data.

    Raises ExternalReference unless it lies in the model's folder and no link leads there.
    """
    if not location or _leads_outside(location) or "\0" in location:
        message = f"its data is said to be in {location!r}, outside the model's folder"
        fix = "Put the data into the model's folder and name it there"
        raise ExternalReference(message, where=where, fix=fix)
    file = path.parent
    for part in PurePosixPath(location).parts:
        file = file / part
        if file.is_symlink():
            message = f"its data is in {location!r}, reached by a link"
            raise ExternalReference(message, where=where, fix="Put the data itself there")
    return file


def _leads_outside(location: str) -> bool:
    """Whether a path is absolute or goes upwards, as any system reads it."""
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    is_absolute = posix.is_absolute() or windows.is_absolute() or bool(windows.drive)
    return is_absolute or ".." in posix.parts or ".." in windows.parts
