"""What goes wrong while a file is opened and read, told with the file and a way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weightbridge.errors import MissingFile, ModelError


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises MissingFile for a file that cannot be opened or mapped inside."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        fix = "Check the path and its permissions"
        raise MissingFile(f"cannot be read: {reason}", where=str(path), fix=fix) from error


@contextmanager
def placed(path: Path, fix: str) -> Iterator[None]:
    """A ModelError from inside names the file and a way out, where it names none of its own."""
    try:
        yield
    except ModelError as error:
        raise type(error)(error.message, where=error.where or str(path), fix=error.fix or fix) from error
