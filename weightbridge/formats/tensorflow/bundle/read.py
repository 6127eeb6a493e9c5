"""TensorFlow's tensor bundle, the V2 checkpoint: an index and its data files, checked."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import NamedTuple

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb
from weightbridge.formats.tensorflow.bundle.entries import DAMAGED, STRING, Entry, parse_entry, parse_header
from weightbridge.formats.tensorflow.bundle.parts import place_of
from weightbridge.formats.tensorflow.bundle.slices import slice_key
from weightbridge.formats.tensorflow.bundle.sstable import entries
from weightbridge.model.tensors import dtype_of

LARGEST_INDEX = 512 << 20
MOST = 1 << 62


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checkpoint's tensors by key; parts by the keys of slices. `prefix` is the path without `.index`."""

    prefix: Path
    shards: int
    is_big_endian: bool
    entries: Mapping[str, Entry]
    parts: Mapping[bytes, Entry]

    def file(self, shard: int) -> Path:
        """The data file of a number."""
        name = f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}"
        return self.prefix.with_name(name)

    def where(self, name: str) -> str:
        """What messages call the place of an entry."""
        return f"{self.prefix}.index: {name}"


class Run(NamedTuple):
    """The bytes of an entry in a data file."""

    shard: int
    offset: int
    size: int
    name: str


def read_bundle(prefix: Path) -> Bundle:
    """The index of `prefix.index`, checked against the data files. Raises a ModelError."""
    index = prefix.with_name(f"{prefix.name}.index")
    try:
        bundle = _parsed(prefix, _index_bytes(index))
    except ModelError as error:
        if error.where:
            raise
        raise type(error)(error.message, where=str(index), fix=error.fix or DAMAGED) from error
    _check(bundle)
    return bundle


def _index_bytes(index: Path) -> bytes:
    try:
        _refuse_link(index)
        if index.stat().st_size > LARGEST_INDEX:
            raise ResourceBomb(
                "an index larger than any that TensorFlow writes",
                where=str(index),
                fix="Check what this file is",
            )
        return index.read_bytes()
    except OSError as error:
        raise MissingFile(
            f"the checkpoint's index cannot be read: {error.strerror}", where=str(index), fix="Check the path"
        ) from error


def _parsed(prefix: Path, data: bytes) -> Bundle:
    pairs = entries(data)
    key, value = next(pairs, (b"?", b""))
    if key:
        raise Corrupt("the index has no header")
    header = parse_header(value)
    variables: dict[str, Entry] = {}
    parts: dict[bytes, Entry] = {}
    for key, value in pairs:
        if key.startswith(b"\0"):
            parts[key] = parse_entry(value)
        else:
            variables[_text(key)] = parse_entry(value)
    return Bundle(prefix, header.shards, header.is_big_endian, variables, parts)


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Corrupt(f"a name that is no UTF-8: {key[:80]!r}") from error


def _check(bundle: Bundle) -> None:
    """Every entry lies in a data file that is there, has the size of its shape, and overlaps no other."""
    sizes: dict[int, int] = {}
    runs = []
    for name, entry in _stored(bundle):
        where = bundle.where(name)
        if entry.shard >= bundle.shards:
            raise Corrupt(f"data file {entry.shard} of {bundle.shards}", where=where, fix=DAMAGED)
        if entry.shard not in sizes:
            sizes[entry.shard] = _size(bundle.file(entry.shard))
        _check_size(entry, sizes[entry.shard], where)
        runs.append(Run(entry.shard, entry.offset, entry.size, name))
    _check_overlaps(bundle, [run for run in runs if run.size])


def _stored(bundle: Bundle) -> Iterator[tuple[str, Entry]]:
    """All that has bytes of its own; the parts of a partitioned variable must be there and fill it."""
    for name, entry in bundle.entries.items():
        if entry.slices:
            yield from _parts(bundle, name, entry)
        else:
            yield name, entry


def _parts(bundle: Bundle, name: str, entry: Entry) -> Iterator[tuple[str, Entry]]:
    where = bundle.where(name)
    filled = 0
    for extents in entry.slices:
        part = bundle.parts.get(slice_key(name, extents))
        if part is None or part.dtype != entry.dtype or place_of(entry, extents, where).shape != part.shape:
            raise Corrupt(
                "a part of this variable is not there or has another shape", where=where, fix=DAMAGED
            )
        filled += prod(part.shape)
        yield name, part
    count = prod(entry.shape)
    if filled != count:
        raise Corrupt(f"its parts have {filled} of {count} values", where=where, fix=DAMAGED)


def _refuse_link(path: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise ExternalReference(
            "a link out of the checkpoint's folder, which is not followed",
            where=str(path),
            fix="Copy the file here",
        )


def _size(path: Path) -> int:
    try:
        _refuse_link(path)
        return path.stat().st_size
    except OSError as error:
        raise MissingFile(
            "this data file of the checkpoint is not there",
            where=str(path),
            fix="Copy all files of the checkpoint",
        ) from error


def _check_size(entry: Entry, size: int, where: str) -> None:
    needed = entry.size
    if entry.dtype not in ("", STRING):
        needed = prod(entry.shape) * dtype_of(entry.dtype).itemsize
    declared = max(needed, entry.size)
    if declared > size or prod(max(n, 1) for n in entry.shape) > MOST:
        shape = list(entry.shape)[:8]
        raise ResourceBomb(
            f"declares {declared} bytes {shape}, the data file has {size}", where=where, fix=DAMAGED
        )
    if needed != entry.size:
        shape = list(entry.shape)
        raise Corrupt(
            f"{entry.size} bytes are stored, its shape {shape} needs {needed}", where=where, fix=DAMAGED
        )
    end = entry.offset + entry.size
    if end > size:
        raise Corrupt(f"it ends at byte {end}, the data file at {size}", where=where, fix=DAMAGED)


def _check_overlaps(bundle: Bundle, runs: Iterable[Run]) -> None:
    for run, after in pairwise(sorted(runs)):
        if run.shard == after.shard and run.offset + run.size > after.offset:
            where = bundle.where(run.name)
            raise Corrupt(f"its bytes overlap with those of {after.name}", where=where, fix=DAMAGED)
