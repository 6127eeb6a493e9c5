"""Files that appear whole or not at all: under a temporary name beside the real one, synced, renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weightbridge.errors import OutputError, UsageError


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
