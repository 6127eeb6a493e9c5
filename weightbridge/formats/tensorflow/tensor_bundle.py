"""TensorFlow's tensor bundle, the V2 checkpoint: an index and its data files, checked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np

from weightbridge.errors import Corrupt, ExternalReference, MissingFile, ModelError, ResourceBomb, Unsupported
from weightbridge.formats.tensorflow.bundle_entries import STRING, Entry, parse_entry, parse_header
from weightbridge.formats.tensorflow.bundle_slices import WHOLE, Extent, slice_key
from weightbridge.formats.tensorflow.crc32c import masked_crc32c
from weightbridge.formats.tensorflow.sstable import entries
from weightbridge.formats.wire import varint
from weightbridge.model.tensors import Array, dtype_of

DAMAGED = "The files are truncated, damaged or of two checkpoints: copy all of them again"
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
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{self.shards:05d}")


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


def load(bundle: Bundle, key: str) -> Array:
    """A tensor's values, whose checksum must be what the index says; a partitioned one is joined."""
    entry = bundle.entries[key]
    return _loaded(bundle, key, entry) if not entry.slices else _joined(bundle, key, entry)


def load_text(bundle: Bundle, key: str) -> bytes:
    """The bytes of a tensor that is a single string: its length, a checksum of that, the bytes."""
    entry = bundle.entries[key]
    data = _bytes(bundle, key, entry).tobytes()
    length, position = varint(data, 0, len(data))
    if entry.shape or entry.dtype != STRING or position + 4 + length != len(data):
        raise Corrupt("no single text, or one that is cut off", where=f"{bundle.prefix}: {key}", fix=DAMAGED)
    return data[position + 4 :]


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
    found: dict[str, Entry] = {}
    parts: dict[bytes, Entry] = {}
    for key, value in pairs:
        if key.startswith(b"\0"):
            parts[key] = parse_entry(value)
        else:
            found[_text(key)] = parse_entry(value)
    return Bundle(prefix, header.shards, header.is_big_endian, found, parts)


def _text(key: bytes) -> str:
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise Corrupt(f"a name that is no UTF-8: {key[:80]!r}") from error


def _check(bundle: Bundle) -> None:
    """Every entry lies in a data file that is there, has the size of its shape, and overlaps no other."""
    sizes: dict[int, int] = {}
    places: list[tuple[int, int, int, str]] = []
    for name, entry in _stored(bundle):
        where = _where(bundle, name)
        if entry.shard >= bundle.shards:
            raise Corrupt(f"data file {entry.shard} of {bundle.shards}", where=where, fix=DAMAGED)
        if entry.shard not in sizes:
            sizes[entry.shard] = _size(bundle.file(entry.shard))
        _check_size(entry, sizes[entry.shard], where)
        places.append((entry.shard, entry.offset, entry.size, name))
    places = sorted(p for p in places if p[2])
    for a, b in pairwise(places):
        if a[0] == b[0] and a[1] + a[2] > b[1]:
            raise Corrupt(f"its bytes overlap with those of {b[3]}", where=_where(bundle, a[3]), fix=DAMAGED)


def _stored(bundle: Bundle) -> Iterator[tuple[str, Entry]]:
    """All that has bytes of its own; the parts of a partitioned variable must be there and fill it."""
    for name, entry in bundle.entries.items():
        if not entry.slices:
            yield name, entry
            continue
        filled = 0
        for extents in entry.slices:
            part = bundle.parts.get(slice_key(name, extents))
            if (
                part is None
                or part.dtype != entry.dtype
                or _cut(entry, extents, bundle, name)[1] != part.shape
            ):
                raise Corrupt(
                    "a part of this variable is not there or has another shape",
                    where=_where(bundle, name),
                    fix=DAMAGED,
                )
            filled += prod(part.shape)
            yield name, part
        if filled != prod(entry.shape):
            raise Corrupt(
                f"its parts have {filled} of {prod(entry.shape)} values",
                where=_where(bundle, name),
                fix=DAMAGED,
            )


def _cut(
    entry: Entry, extents: tuple[Extent, ...], bundle: Bundle, name: str
) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """Where a part lies in the whole, and its shape."""
    if len(extents) != len(entry.shape):
        raise Corrupt(
            f"a part has {len(extents)} axes, the variable {len(entry.shape)}",
            where=_where(bundle, name),
            fix=DAMAGED,
        )
    lengths = tuple(n if e.length == WHOLE else e.length for e, n in zip(extents, entry.shape, strict=True))
    if any(
        e.start < 0 or length < 0 or e.start + length > n
        for e, length, n in zip(extents, lengths, entry.shape, strict=True)
    ):
        raise Corrupt("a part reaches beyond the variable", where=_where(bundle, name), fix=DAMAGED)
    return tuple(
        slice(e.start, e.start + length) for e, length in zip(extents, lengths, strict=True)
    ), lengths


def _where(bundle: Bundle, name: str) -> str:
    return f"{bundle.prefix}.index: {name}"


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
    needed = (
        prod(entry.shape) * dtype_of(entry.dtype).itemsize if entry.dtype not in ("", STRING) else entry.size
    )
    if max(needed, entry.size) > size or prod(max(n, 1) for n in entry.shape) > MOST:
        declared = f"declares {max(needed, entry.size)} bytes {list(entry.shape)[:8]}"
        raise ResourceBomb(f"{declared}, the data file has {size}", where=where, fix=DAMAGED)
    if needed != entry.size:
        raise Corrupt(
            f"{entry.size} bytes are stored, its shape {list(entry.shape)} needs {needed}",
            where=where,
            fix=DAMAGED,
        )
    if entry.offset + entry.size > size:
        raise Corrupt(
            f"it ends at byte {entry.offset + entry.size}, the data file at {size}", where=where, fix=DAMAGED
        )


def _joined(bundle: Bundle, key: str, entry: Entry) -> Array:
    whole = np.empty(entry.shape, dtype_of(entry.dtype))
    for extents in entry.slices:
        whole[_cut(entry, extents, bundle, key)[0]] = _loaded(
            bundle, key, bundle.parts[slice_key(key, extents)]
        )
    return whole


def _loaded(bundle: Bundle, key: str, entry: Entry) -> Array:
    if entry.dtype in ("", STRING):
        raise Unsupported(
            "a tensor that holds no numbers", where=f"{bundle.prefix}: {key}", fix="Leave it out"
        )
    dtype = dtype_of(entry.dtype)
    raw = _bytes(bundle, key, entry).view(dtype.newbyteorder(">" if bundle.is_big_endian else "<"))
    return raw.astype(dtype, copy=False).reshape(entry.shape)


def _bytes(bundle: Bundle, key: str, entry: Entry) -> Array:
    path = bundle.file(entry.shard)
    try:
        found: Array = np.fromfile(path, np.uint8, entry.size, offset=entry.offset)
    except OSError as error:
        raise MissingFile(
            f"cannot be read: {error.strerror}", where=str(path), fix="Check its permissions"
        ) from error
    if found.size != entry.size:
        raise Corrupt(f"{entry.size} bytes expected, {found.size} found", where=f"{path}: {key}", fix=DAMAGED)
    if entry.dtype != STRING and masked_crc32c(found) != entry.crc:
        raise Corrupt("its checksum differs from what the index says", where=f"{path}: {key}", fix=DAMAGED)
    return found
