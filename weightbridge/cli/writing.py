"""Reports and pictures to files: whole or not at all, and never over a model."""

from collections.abc import Iterable
from errno import EISDIR
from pathlib import Path

from weightbridge.boundary.files import beside, real_path, replaced
from weightbridge.errors import OutputError, UsageError


def check_writable(path: Path, models: Iterable[str]) -> None:
    """Before the work begins.

    Raises UsageError where `path` is one of the models, OutputError where nothing can be written there.
    """
    if any(real_path(path) == real_path(model) for model in models):
        raise UsageError(
            "a report or a picture would be written over a model of this command",
            where=str(path),
            fix="Give another path",
        )
    try:
        _try(path)
    except OSError as error:
        raise _refused(path, error) from error


def write_atomically(path: Path, text: str) -> None:
    """Under a temporary name, then renamed; straight into a pipe or a device. Raises OutputError."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        with replaced(real_path(path)) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise _refused(path, error) from error


def _try(path: Path) -> None:
    """Raises OSError where no file can be made beside `path`, or `path` is a folder."""
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "this is a folder")
    if not _is_special(path):
        probe = beside(real_path(path), ".part")
        probe.write_bytes(b"")
        probe.unlink()


def _refused(path: Path, error: OSError) -> OutputError:
    fix = "Give a path in a folder that exists, may be written to and has room"
    return OutputError(f"cannot be written: {error.strerror}", where=str(path), fix=fix)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()
