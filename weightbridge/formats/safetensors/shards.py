"""safetensors in one file or several: the entries of all files of a checkpoint, headers only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weightbridge.errors.diagnostics import Finding, finding, with_severity
from weightbridge.formats.safetensors.header import Entry, Header, read_header
from weightbridge.formats.sniffing.folders import INDEXES
from weightbridge.formats.state_dicts.shard_index import Index, check_names, index_in, is_index, read_index


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor and the file that holds it."""

    path: Path
    entry: Entry


@dataclass(frozen=True, slots=True)
class Contents:
    """All tensors. producer: what the metadata of the files say. files: those that lie beside an index."""

    stored: tuple[Stored, ...]
    producer: str
    files: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()


def contents(path: Path) -> Contents:
    """What a file, an index or a folder with an index holds. Raises a ModelError."""
    if not is_index(path):
        header = read_header(path)
        return Contents(tuple(_stored({path: header})), _producer([header]))
    index = read_index(index_in(path, INDEXES["safetensors"]))
    headers = {shard: read_header(shard) for shard in index.shards}
    names = {shard: [entry.name for entry in header.entries] for shard, header in headers.items()}
    findings = check_names(index, names)
    stored = [tensor for tensor in _stored(headers) if _is_listed(tensor, index)]
    producer = _producer(headers.values())
    return Contents(tuple(stored), producer, index.shards, (*findings, *_total(index, headers)))


def _stored(headers: Mapping[Path, Header]) -> list[Stored]:
    return [Stored(shard, entry) for shard, header in headers.items() for entry in header.entries]


def _is_listed(tensor: Stored, index: Index) -> bool:
    return index.weights.get(tensor.entry.name) == tensor.path.name


def _producer(headers: Iterable[Header]) -> str:
    formats = [header.metadata["format"] for header in headers if "format" in header.metadata]
    return formats[0] if formats else ""


def _total(index: Index, headers: Mapping[Path, Header]) -> tuple[Finding, ...]:
    """A note where the declared total is not what the shards hold: the index may be of another checkpoint."""
    total = sum(stored.entry.nbytes for stored in _stored(headers))
    if index.total is None or index.total == total:
        return ()
    warning = finding(
        "WB108",
        f"the index declares {index.total} bytes of tensors, the shards hold {total}",
        source=str(index.path.name),
        fix="Check that index and shards belong together",
    )
    return (with_severity(warning, "note"),)
