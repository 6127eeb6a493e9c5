"""Plan -> written file: written and synced under a temporary name, and read back bit by bit.

The only module that writes models.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.files import sync
from weightbridge.boundary.options import Options
from weightbridge.boundary.records import dataclass
from weightbridge.errors import OutputError
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.frameworks import framework_module
from weightbridge.formats.hashing import file_hash, file_sums
from weightbridge.formats.templates import Template
from weightbridge.matching.differences.vocabularies import given_words
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.plan import Plan
from weightbridge.transfer.digests import (
    SHA256,
    Crc,
    Digests,
    Kind,
    digest_texts,
    digested,
    named,
    read_back,
)
from weightbridge.transfer.execute import Fitted, Ledger, streamed


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
    pairs = streamed(plan, source, template.target, ledger, options.progress, fitted)
    kind = SHA256 if hashes else Crc
    told = named(pairs, digests) if is_summed and not hashes else digested(pairs, digests, kind)
    places = {tensor.name: tensor for tensor in template.file.tensors}
    checksum = formats.write(template.file, temporary, ((places[t.name], value) for t, value in told))
    formats.write_words(template.file, temporary, words)
    options.progress("reading back", 0, 0)
    with ThreadPoolExecutor(1) as pool:
        synced = pool.submit(sync, temporary)
        if is_summed:
            sha256 = whole_read_back(temporary, checksum, hashes)
        else:
            sha256 = tensors_read_back(template, temporary, digests, kind)
        synced.result()
    plan, findings = ledger.applied_to(plan), tuple(ledger.findings)
    return Written(temporary, plan, len(digests), findings, digest_texts(digests) if hashes else {}, sha256)


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


def whole_read_back(path: Path, checksum: int | None, hashes: bool) -> str:
    """The file's SHA-256. Raises OutputError unless its bytes are those that were written."""
    sums = file_sums(path, hashes)
    if sums.crc != checksum:
        message = "what was read back is not what was written"
        raise OutputError(message, where=str(path), fix="check the disk")
    return sums.sha256


def tensors_read_back(template: Template, path: Path, digests: Digests, kind: Kind) -> str:
    """The same of the tensors alone, for a file whose bytes are not all known."""
    with ThreadPoolExecutor(1) as pool:
        hashed = pool.submit(file_hash, path) if kind is SHA256 else None
        read_back((template.read or formats.read)(path), digests, kind)
        return hashed.result() if hashed else ""
