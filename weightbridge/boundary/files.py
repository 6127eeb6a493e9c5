"""Files that appear whole or not at all: under a temporary name beside the real one, synced, renamed."""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC, ENXIO
from pathlib import Path
from typing import IO, Any

from weightbridge.boundary.checksums import combined, crc32
from weightbridge.errors import OutputError, UsageError

FULL = frozenset({ENOSPC, EDQUOT, EFBIG})  # what the system says of a disk that has no more room
HOLE = 1 << 18  # bytes of a run of zeros that is left out
ZEROS = bytes(HOLE)


class SparseFile(io.BufferedWriter):
    """A new file in which runs of zeros are holes, which take neither space nor time."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w"))

    def write(self, data: Any) -> int:
        if data is ZEROS or (len(data) == HOLE and data == ZEROS):
            self.seek(HOLE, os.SEEK_CUR)
            return HOLE
        return super().write(data)

    def close(self) -> None:
        try:
            if not self.closed:
                self.truncate()  # a hole at the end is part of the file
        finally:
            super().close()


def copy_sparsely(path: Path, start: int, end: int, target: IO[bytes]) -> None:
    """Into a SparseFile, or into what writes to one in the same pieces. Holes are not read either."""
    with path.open("rb", buffering=0) as source:
        for piece in _pieces(source, start, end):
            target.write(piece)


def sparse_checksum(path: Path) -> int:
    """The CRC-32 of a file, whose holes are not read."""
    total, of_hole = 0, crc32(ZEROS)
    with path.open("rb", buffering=0) as source:
        for piece in _pieces(source, 0, path.stat().st_size):
            total = combined(total, of_hole, HOLE) if piece is ZEROS else crc32(piece, total)
    return total


def _pieces(source: io.FileIO, position: int, end: int) -> Iterator[bytes]:
    while position < end:
        if _next_data(source, position, end) - position >= HOLE:
            piece = ZEROS
        else:
            source.seek(position)
            piece = source.read(min(HOLE, end - position))
        if not piece:
            return  # the file has become shorter
        yield piece
        position += len(piece)


def _next_data(source: io.FileIO, position: int, end: int) -> int:
    """Where the next byte is that is no hole, as far as the system tells."""
    try:
        return min(os.lseek(source.fileno(), position, os.SEEK_DATA), end)
    except AttributeError:
        return position
    except OSError as error:  # there is none, or the file system does not know
        return end if error.errno == ENXIO else position


def real_path(path: str | Path) -> Path:
    """The file itself where `path` is a link; a link to itself stays as it is."""
    return Path(os.path.realpath(path))


def beside(path: Path, suffix: str, longest: int = 100) -> Path:
    """A name that nobody else uses in the folder of `path`, which ends in `suffix`."""
    unique = secrets.token_hex(8)
    return path.with_name(f".{path.name[:longest]}.{unique}{suffix}")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; it becomes `path` where nothing is raised. Raises OSError."""
    temporary = beside(path, ".part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, overwrite: bool) -> None:
    """The text as a file, synced before it gets its name.

    Raises UsageError for a file that exists and may not be replaced, OutputError where it cannot be written.
    """
    if path.exists() and not overwrite:
        raise UsageError("exists already", where=str(path), fix="choose another name, or say --overwrite")
    try:
        with replaced(path) as temporary:
            temporary.write_bytes(text.encode("utf-8"))
            sync(temporary)
    except OSError as error:
        fix = "free some space, or choose another folder"
        raise OutputError(f"cannot be written: {error.strerror}", where=str(path), fix=fix) from error


def make_folder(path: Path) -> None:
    """Where there is none yet. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = "give a path in a folder that may be written to"
        raise OutputError(f"the folder cannot be made: {error.strerror}", where=str(path), fix=fix) from error


def sync(path: Path) -> None:
    """A file or folder on the disk before more happens. Raises OSError.

    A file is opened for writing: Windows syncs no other.
    """
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
