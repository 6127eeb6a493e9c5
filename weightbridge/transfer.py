"""Plan -> written file: beside OUTPUT under a temporary name, synced, read back bit by bit, then renamed.

The only module that writes models.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weightbridge import formats
from weightbridge.diagnostics import Finding
from weightbridge.errors import OutputError, UsageError
from weightbridge.execution import Ledger, values
from weightbridge.graph import LayerGraph
from weightbridge.options import Progress, silent
from weightbridge.plan import Plan
from weightbridge.tensors import Array, Tensor

SUFFIXES = (".weights.h5", ".keras", ".h5", ".hdf5", ".onnx", ".safetensors")


@dataclass(frozen=True, slots=True)
class Written:
    """A complete file under its temporary name: its graph, how many tensors were read back, what was found on the way."""

    path: Path
    plan: Plan
    read_back: int
    findings: tuple[Finding, ...]


def check_output(output: Path, overwrite: bool) -> None:
    """Raises UsageError for an OUTPUT that exists or has a suffix that no writer knows, OutputError for a folder that is not there."""
    if not output.name.endswith(SUFFIXES):
        raise UsageError(f"no writer for {output.name!r}", where=str(output), fix=f"use one of the suffixes {', '.join(SUFFIXES)}")
    if output.is_dir():
        raise UsageError("is a folder, expected a file's name", where=str(output))
    if output.exists() and not overwrite:
        raise UsageError("exists already", where=str(output), fix="choose another OUTPUT, or say --overwrite")
    if not output.parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist", where=str(output), fix="make it first")


@contextmanager
def staged(output: Path) -> Iterator[Path]:
    """A temporary name beside OUTPUT with its suffix; whatever stands there at the end is removed. Rename with `publish` before that."""
    suffix = next(s for s in SUFFIXES if output.name.endswith(s))
    temporary = output.with_name(f".{output.name.removesuffix(suffix)}.{secrets.token_hex(4)}.part{suffix}")
    try:
        yield temporary
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}", where=str(output), fix="free some space, or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write(plan: Plan, source: LayerGraph, target: LayerGraph, temporary: Path, progress: Progress = silent) -> Written:
    """Write every step's value into a copy of the target's file, sync it, and read it back bit by bit.

    Raises OutputError where the disk is full or what was read back is not what was written.
    """
    ledger = Ledger()
    digests: dict[str, bytes] = {}
    formats.write(target, temporary, digested(values(plan, source, target, ledger, progress), digests))
    _sync(temporary)
    read_back(formats.read(temporary), digests)
    return Written(temporary, ledger.applied_to(plan), len(digests), tuple(ledger.findings))


def digested(pairs: Iterable[tuple[Tensor, Array]], digests: dict[str, bytes]) -> Iterator[tuple[Tensor, Array]]:
    """The same pairs; on their way each value's digest goes into `digests` by the tensor's name."""
    for tensor, array in pairs:
        digests[tensor.name] = _digest(array)
        yield tensor, array


def _digest(array: Array) -> bytes:
    digest = hashlib.sha256(f"{array.dtype.name}{array.shape}".encode())
    digest.update(array.reshape(-1).view("u1").data if array.size else b"")
    return digest.digest()


def read_back(written: LayerGraph, digests: Mapping[str, bytes]) -> None:
    """Raises OutputError unless every tensor that was written stands in the file or live model, byte for byte."""
    stored = {t.name: t for t in written.tensors}
    wrong = [n for n, d in digests.items() if n not in stored or _digest(stored[n].load()) != d]
    if wrong:
        raise OutputError(
            f"{wrong[0]}: what was read back is not what was written ({len(wrong)} tensors)", where=written.path, fix="check the disk"
        )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, output: Path) -> None:
    """Rename into place, and make the rename last."""
    os.replace(temporary, output)
    _sync(output.parent)
