"""safetensors in one file or several: the entries of all files of a checkpoint, headers only."""

from dataclasses import dataclass
from pathlib import Path

from weightbridge.diagnostics import Finding, finding, with_severity
from weightbridge.formats.safetensors.header import Entry, Header, read_header
from weightbridge.formats.shard_index import Index, check_names, index_in, is_index, read_index
from weightbridge.formats.sniffing.folders import INDEXES


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
        return Contents(
            tuple(Stored(path, entry) for entry in header.entries), header.metadata.get("format", "")
        )
    index = read_index(index_in(path, INDEXES["safetensors"]))
    headers = {shard: read_header(shard) for shard in index.shards}
    said = check_names(index, {shard: [e.name for e in header.entries] for shard, header in headers.items()})
    stored = tuple(
        Stored(shard, e)
        for shard, header in headers.items()
        for e in header.entries
        if index.weights.get(e.name) == shard.name
    )
    producer = next((h.metadata["format"] for h in headers.values() if "format" in h.metadata), "")
    return Contents(stored, producer, index.shards, (*said, *_total(index, headers)))


def _total(index: Index, headers: dict[Path, Header]) -> tuple[Finding, ...]:
    """A note where the declared total is not what the shards hold: the index may be of another checkpoint."""
    found = sum(e.nbytes for header in headers.values() for e in header.entries)
    if index.total is None or index.total == found:
        return ()
    message = f"the index declares {index.total} bytes of tensors, the shards hold {found}"
    return (
        with_severity(
            finding(
                "WB108",
                message,
                source=str(index.path.name),
                fix="Check that index and shards belong together",
            ),
            "note",
        ),
    )
