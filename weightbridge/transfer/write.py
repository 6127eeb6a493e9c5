"""Plan -> written file: beside OUTPUT under a temporary name, synced, read back bit by bit, then renamed.

The only module that writes models.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.diagnostics import Finding
from weightbridge.errors import OutputError, UsageError
from weightbridge.files import real_path
from weightbridge.formats.templates import Template
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.options import Progress, silent
from weightbridge.plan import Plan
from weightbridge.transfer.execute import Ledger, values

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5", ".onnx", ".safetensors")


@dataclass(frozen=True, slots=True)
class Written:
    """A complete file under its temporary name: its graph, how many tensors were read back, what was found on
    the way.
    """

    path: Path
    plan: Plan
    read_back: int
    findings: tuple[Finding, ...]


def check_output(
    output: Path, overwrite: bool, models: Iterable[Any] = (), suffixes: tuple[str, ...] = SUFFIXES
) -> None:
    """Before the work begins: whether OUTPUT can be written. `models` are those of the command, which stay as
    they are.

    suffixes: of the formats that the command can write.

    Raises UsageError for an OUTPUT that exists, is one of the models, or has a suffix that no writer knows;
    OutputError for a folder
    that is not there or not ours to write in.
    """
    if not output.name.endswith(suffixes):
        raise UsageError(
            f"no writer for {output.name!r}",
            where=str(output),
            fix=f"use one of the suffixes {', '.join(suffixes)}",
        )
    try:
        _refuse(output, _followed(output), overwrite, models)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror}", where=str(output), fix="choose another OUTPUT"
        ) from error
    with staged(output) as temporary:
        temporary.touch()


def _refuse(output: Path, real: Path, overwrite: bool, models: Iterable[Any]) -> None:
    if real.is_dir():
        raise UsageError("is a folder, expected a file's name", where=str(output))
    if real.exists() and not real.is_file():
        raise UsageError("is no ordinary file", where=str(output), fix="choose another OUTPUT")
    if any(real == real_path(model) for model in models if isinstance(model, str | Path)):
        raise UsageError(
            "is a model of this command, which stays as it is", where=str(output), fix="choose another OUTPUT"
        )
    if real.exists() and not overwrite:
        raise UsageError("exists already", where=str(output), fix="choose another OUTPUT, or say --overwrite")
    if not real.parent.is_dir():
        raise OutputError(f"the folder {real.parent} does not exist", where=str(output), fix="make it first")


def _followed(output: Path) -> Path:
    """The file itself where OUTPUT is a link."""
    try:
        return output.resolve()
    except (OSError, RuntimeError) as error:
        raise OutputError(
            "is a link that leads nowhere", where=str(output), fix="choose another OUTPUT"
        ) from error


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """A temporary name beside OUTPUT with its suffix; whatever stands there at the end is removed. Rename
    with `publish` before that.
    """
    real = _followed(output)
    suffix = next(s for s in SUFFIXES if output.name.endswith(s))
    temporary = real.with_name(f".{real.name.removesuffix(suffix)[:60]}.{secrets.token_hex(4)}.part{suffix}")
    try:
        yield temporary
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}",
            where=str(output),
            fix="free some space, or choose another folder",
        ) from error
    except OutputError as error:  # of a writer, which knows the temporary name alone
        raise OutputError(error.message, where=str(output), fix=error.fix) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(
    plan: Plan, source: LayerGraph, template: Template, temporary: Path, progress: Progress = silent
) -> Written:
    """Write every step's value into a copy of the template's file, sync it, and meanwhile read it back bit by
    bit.

    Raises OutputError where the disk is full or what was read back is not what was written.
    """
    ledger = Ledger()
    digests: dict[str, bytes] = {}
    places = {t.name: t for t in template.file.tensors}
    pairs = digested(values(plan, source, template.target, ledger, progress), digests)
    formats.write(template.file, temporary, ((places[t.name], value) for t, value in pairs))
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(_sync, temporary)
        read_back(formats.read(temporary), digests)
        synced.result()
    return Written(temporary, ledger.applied_to(plan), len(digests), tuple(ledger.findings))


def digested(
    pairs: Iterable[tuple[Tensor, Array]], digests: dict[str, bytes]
) -> Iterator[tuple[Tensor, Array]]:
    """The same pairs; on their way each value's digest goes into `digests` by the tensor's name."""
    for tensor, array in pairs:
        digests[tensor.name] = _digest(array)
        yield tensor, array


def _digest(array: Array) -> bytes:
    digest = hashlib.sha256(f"{array.dtype.name}{array.shape}".encode())
    digest.update(array.reshape(-1).view("u1").data if array.size else b"")
    return digest.digest()


def read_back(written: LayerGraph, digests: Mapping[str, bytes]) -> None:
    """Raises OutputError unless every tensor that was written stands in the file or live model, byte for
    byte.
    """
    stored = written.tensor_by_name
    wrong = [n for n, d in digests.items() if n not in stored or _digest(stored[n].load()) != d]
    if wrong:
        raise OutputError(
            f"{wrong[0]}: what was read back is not what was written ({len(wrong)} tensors)",
            where=written.path,
            fix="check the disk",
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, output: Path) -> None:
    """Rename into place, and make the rename last where the file system can."""
    real = _followed(output)
    os.replace(temporary, real)
    with suppress(OSError):
        _sync(real.parent)
