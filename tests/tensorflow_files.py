"""Checkpoint indexes and SavedModels built byte by byte, so that tests can build wrong ones."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from weightbridge.formats.tensorflow.bundle.crc32c import masked_crc32c

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "tensorflow"
FLOAT, STRING = 1, 7
MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"


def number(value: int) -> bytes:
    """A varint."""
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def field(tag: int, value: int | bytes) -> bytes:
    """One field of a message: a number, or text, bytes and messages."""
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    return number(tag << 3 | 2) + number(len(value)) + value


def entry(
    shape: Iterable[int], offset: int, size: int, *, dtype: int = FLOAT, crc: int = 0, shard: int = 0
) -> bytes:
    """A BundleEntryProto."""
    dims = b"".join(field(2, field(1, n)) for n in shape)
    checksum = number(6 << 3 | 5) + crc.to_bytes(4, "little")
    return field(1, dtype) + field(2, dims) + field(3, shard) + field(4, offset) + field(5, size) + checksum


def block(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(number(0) + number(len(k)) + number(len(v)) + k + v for k, v in pairs)
    return body + bytes(4) + (1).to_bytes(4, "little")


def table(pairs: Iterable[tuple[bytes, bytes]], *, stored: bytes | None = None, kind: int = 0) -> bytes:
    """A table of one block; `stored` is what stands for it, compressed in the way `kind`."""
    data = block(pairs) if stored is None else stored
    first = data + bytes([kind])
    first += masked_crc32c(first).to_bytes(4, "little")
    index = block([(b"~", number(0) + number(len(data)))]) + b"\0"
    index += masked_crc32c(index).to_bytes(4, "little")
    handles = number(0) + number(0) + number(len(first)) + number(len(index) - 5)
    return first + index + handles.ljust(40, b"\0") + MAGIC


def header(shards: int = 1) -> tuple[bytes, bytes]:
    return b"", field(1, shards)


def checkpoint(folder: Path, index: bytes, data: bytes = b"") -> Path:
    """A checkpoint with one data file; its index."""
    (folder / "m.data-00000-of-00001").write_bytes(data)
    path = folder / "m.index"
    path.write_bytes(index)
    return path


def named(folder: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A right checkpoint of these tensors, by names."""
    data, pairs = b"", [header()]
    for name in sorted(tensors):
        raw = tensors[name].astype("<f4").tobytes()
        pairs.append((name.encode(), entry(tensors[name].shape, len(data), len(raw), crc=masked_crc32c(raw))))
        data += raw
    return checkpoint(folder, table(pairs), data)


def with_objects(folder: Path, graph: bytes) -> Path:
    """A checkpoint of one weight and a graph of objects."""
    raw = np.ones((2, 3), "<f4").tobytes()
    text = number(len(graph)) + bytes(4) + graph
    objects = (b"_CHECKPOINTABLE_OBJECT_GRAPH", entry((), len(raw), len(text), dtype=STRING))
    weight = (b"a/kernel/.ATTRIBUTES/VARIABLE_VALUE", entry((2, 3), 0, len(raw), crc=masked_crc32c(raw)))
    return checkpoint(folder, table([header(), objects, weight]), raw + text)


def tracked(*children: tuple[str, int]) -> bytes:
    """One object of a graph, with what it holds."""
    return field(1, b"".join(field(1, field(1, n) + field(2, name.encode())) for name, n in children))
