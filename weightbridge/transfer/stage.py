"""A temporary file beside OUTPUT, which gets OUTPUT's name when all is well."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from weightbridge.boundary.files import beside, real_path, sync
from weightbridge.errors import OutputError, UsageError

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5", ".onnx", ".safetensors")
ANOTHER = "choose another OUTPUT"


def check_output(
    output: Path, overwrite: bool, models: Iterable[Any] = (), suffixes: tuple[str, ...] = SUFFIXES
) -> None:
    """Before the work begins: whether OUTPUT can be written.

    models: those of the command, which stay as they are.
    suffixes: of the formats that the command can write.

    Raises UsageError for an OUTPUT that exists, is one of the models, or has a suffix that no writer knows;
    OutputError for a folder that is not there or not ours to write in.
    """
    known = [s for s in (*SUFFIXES, *suffixes) if output.name.endswith(s)]
    if max(known, key=len, default="") not in suffixes:
        fix = f"use one of the suffixes {', '.join(suffixes)}"
        raise UsageError(f"no writer for {output.name!r}", where=str(output), fix=fix)
    try:
        _refuse(output, overwrite, models)
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", where=str(output), fix=ANOTHER) from error
    with staged(output) as temporary:
        temporary.touch()


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """A temporary name beside OUTPUT with its suffix; whatever stands there at the end is removed.

    `publish` gives it OUTPUT's name before that.
    """
    real = _followed(output)
    suffix = next(s for s in SUFFIXES if output.name.endswith(s))
    temporary = beside(real.with_name(real.name.removesuffix(suffix)), f".part{suffix}", longest=60)
    try:
        yield temporary
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        fix = "free some space, or choose another folder"
        raise OutputError(message, where=str(output), fix=fix) from error
    except OutputError as error:  # of a writer, which knows the temporary name alone
        raise OutputError(error.message, where=str(output), fix=error.fix) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def publish(temporary: Path, output: Path) -> None:
    """Rename into place, and make the rename last where the file system can."""
    real = _followed(output)
    os.replace(temporary, real)
    with suppress(OSError):
        sync(real.parent)


def _refuse(output: Path, overwrite: bool, models: Iterable[Any]) -> None:
    real, where = _followed(output), str(output)
    if real.is_dir():
        raise UsageError("is a folder, expected a file's name", where=where)
    if real.exists() and not real.is_file():
        raise UsageError("is no ordinary file", where=where, fix=ANOTHER)
    if any(real == real_path(model) for model in models if isinstance(model, str | Path)):
        raise UsageError("is a model of this command, which stays as it is", where=where, fix=ANOTHER)
    if real.exists() and not overwrite:
        raise UsageError("exists already", where=where, fix="choose another OUTPUT, or say --overwrite")
    if not real.parent.is_dir():
        raise OutputError(f"the folder {real.parent} does not exist", where=where, fix="make it first")


def _followed(output: Path) -> Path:
    """The file itself where OUTPUT is a link."""
    try:
        return output.resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError("is a link that leads nowhere", where=str(output), fix=ANOTHER) from error
