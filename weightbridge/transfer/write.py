"""Plan -> written file: written and synced under a temporary name, and read back bit by bit.

The only module that writes models.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.files import sync
from weightbridge.boundary.options import Options
from weightbridge.errors import OutputError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.hashing import file_hash, file_sums
from weightbridge.formats.templates import Template
from weightbridge.matching import given_words
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor, name_of
from weightbridge.plan import Plan
from weightbridge.transfer.execute import Fitted, Ledger, values

Digests = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """A complete file under its temporary name.

    read_back: how many tensors were read back; findings: what was found on the way.
    digests: `sha256:...` of each tensor that was written: its dtype, shape and bytes in C order.
    sha256: of the file, "" where it has changed since, or where nobody asks for it.
    """

    path: Path
    plan: Plan
    read_back: int
    findings: tuple[Finding, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""


def write(
    plan: Plan,
    source: LayerGraph,
    template: Template,
    temporary: Path,
    options: Options,
    fitted: Fitted | None = None,
) -> Written:
    """Write every step's value into a copy of the template's file, sync it, and meanwhile read it back.

    fitted: the values of fitted steps.
    Raises OutputError where the disk is full or what was read back is not what was written.
    """
    ledger, hashes = Ledger(), options.hashes
    digests: Digests = {}
    words = given_words(source, template.target, plan.steps)
    is_summed = formats.is_summed(template.file) and not words
    pairs = values(plan, source, template.target, ledger, options.progress, fitted)
    told = digested(pairs, digests) if hashes or not is_summed else _named(pairs, digests)
    places = {tensor.name: tensor for tensor in template.file.tensors}
    checksum = formats.write(template.file, temporary, ((places[t.name], value) for t, value in told))
    formats.write_words(template.file, temporary, words)
    options.progress("reading back", 0, 0)
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(sync, temporary)
        if is_summed:
            sha256 = whole_read_back(temporary, checksum, hashes)
        else:
            sha256 = tensors_read_back(template, temporary, digests, hashes)
        synced.result()
    plan, findings = ledger.applied_to(plan), tuple(ledger.findings)
    return Written(temporary, plan, len(digests), findings, digest_texts(digests) if hashes else {}, sha256)


def _named(pairs: Iterable[tuple[Tensor, Array]], digests: Digests) -> Iterator[tuple[Tensor, Array]]:
    """The same pairs, counted: nobody asks for their digests."""
    for tensor, array in pairs:
        digests[tensor.name] = b""
        yield tensor, array


def write_values(
    file: LayerGraph, temporary: Path, pairs: Iterable[tuple[Tensor, Array]]
) -> tuple[LayerGraph, Digests]:
    """Write values into a copy of a file and read them back: what stands there, and their digests."""
    digests: Digests = {}
    formats.write(file, temporary, digested(pairs, digests))
    written = formats.read(temporary)
    read_back(written, digests)
    return written, digests


def assign(model: Any, pairs: Iterable[tuple[Tensor, Array]]) -> Digests:
    """Set values in a live model and read them back: their digests."""
    live = framework_module(formats.FORMATS["python"])
    digests: Digests = {}
    live.assign(model, digested(pairs, digests))
    read_back(live.read(model), digests)
    return digests


def digested(pairs: Iterable[tuple[Tensor, Array]], digests: Digests) -> Iterator[tuple[Tensor, Array]]:
    """The same pairs; on their way each value's digest goes into `digests` by the tensor's name."""
    for tensor, array in pairs:
        digests[tensor.name] = digest_of(array)
        yield tensor, array


def digest_texts(digests: Digests) -> dict[str, str]:
    """As a report names them."""
    return {name: f"sha256:{digest.hex()}" for name, digest in digests.items()}


def whole_read_back(path: Path, checksum: int | None, hashes: bool) -> str:
    """The file's SHA-256. Raises OutputError unless its bytes are those that were written."""
    sums = file_sums(path, hashes)
    if sums.crc != checksum:
        message = "what was read back is not what was written"
        raise OutputError(message, where=str(path), fix="check the disk")
    return sums.sha256


def tensors_read_back(template: Template, path: Path, digests: Digests, hashes: bool) -> str:
    """The same of the tensors alone, for a file whose bytes are not all known."""
    with ThreadPoolExecutor(1) as pool:
        hashed = pool.submit(file_hash, path) if hashes else None
        read_back((template.read or formats.read)(path), digests)
        return hashed.result() if hashed else ""


def read_back(written: LayerGraph, digests: Mapping[str, bytes]) -> None:
    """Raises OutputError unless the file or live model holds every tensor that was written, byte for byte."""
    stored = written.tensor_by_name
    wrong = [name for name, digest in digests.items() if not _is_stored(stored.get(name), digest)]
    if wrong:
        message = f"{wrong[0]}: what was read back is not what was written ({len(wrong)} tensors)"
        raise OutputError(message, where=written.path, fix="check the disk")


def _is_stored(tensor: Tensor | None, digest: bytes) -> bool:
    return tensor is not None and digest_of(tensor.load()) == digest


def digest_of(array: Array) -> bytes:
    """SHA-256 of the dtype, the shape and the bytes in C order."""
    digest = hashlib.sha256(f"{name_of(array.dtype)}{array.shape}".encode())
    digest.update(array.reshape(-1).view("u1").data if array.size else b"")
    return digest.digest()
