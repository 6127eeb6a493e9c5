"""A text file, written atomically: whole or not at all; and the file itself behind a link."""

import os
import secrets
from pathlib import Path

from weightbridge.errors import OutputError, UsageError


def real_path(path: str | Path) -> Path:
    """The file itself where `path` is a link; a link that leads to itself stays as it is, where Path.resolve
    would raise.
    """
    return Path(os.path.realpath(path))


def write_text(path: Path, text: str, *, overwrite: bool) -> None:
    """Raises UsageError where the file exists and may not be replaced, OutputError where it cannot be
    written.
    """
    if path.exists() and not overwrite:
        raise UsageError("exists already", where=str(path), fix="choose another name, or say --overwrite")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror}",
            where=str(path),
            fix="free some space, or choose another folder",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
