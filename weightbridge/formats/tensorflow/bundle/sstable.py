"""LevelDB's sorted table (doc/table_format.md), a checkpoint's index: every block is checked."""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from weightbridge.errors import Corrupt, ResourceBomb, Unsupported
from weightbridge.formats.tensorflow.bundle.crc32c import masked_crc32c
from weightbridge.formats.tensorflow.bundle.snappy import decompress
from weightbridge.formats.wire import varint

FOOTER, MAGIC = 48, b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
TRAILER = 5  # the kind of compression, and a checksum
PLAIN, SNAPPY = 0, 1
EXPANSION = 200  # what all blocks together may be larger than the file
FLOOR = 64 << 20


class Handle(NamedTuple):
    """Where a block lies."""

    offset: int
    size: int


def entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values in the order of keys. Raises Corrupt, ResourceBomb or Unsupported (a compression)."""
    most = max(FLOOR, EXPANSION * len(data))
    total = 0
    previous = None
    for key, value in chain.from_iterable(_pairs(block) for block in _blocks(data)):
        total += len(key) + len(value)
        if total > most:
            raise ResourceBomb(f"an index of {len(data)} bytes that expands to more than {total}")
        if previous is not None and key <= previous:
            raise Corrupt(f"keys out of order: {key[:80]!r} after {previous[:80]!r}")
        yield key, value
        previous = key


def _blocks(data: bytes) -> Iterator[bytes]:
    """The blocks that the table's own index lists; they follow each other."""
    if len(data) < FOOTER or data[-len(MAGIC) :] != MAGIC:
        raise Corrupt("the index does not end as a table does: it may be cut off")
    end = len(data) - FOOTER
    _, position = _handle(data, end, len(data))  # of an index of filters, which is not needed
    index, _ = _handle(data, position, len(data))
    reached = 0
    for _, value in _pairs(_block(data, index, end)):
        handle, _ = _handle(value, 0, len(value))
        if handle.offset < reached:
            raise Corrupt(f"byte {handle.offset}: blocks of the table overlap")
        reached = handle.offset + handle.size + TRAILER
        yield _block(data, handle, end)


def _handle(data: bytes, position: int, end: int) -> tuple[Handle, int]:
    offset, position = varint(data, position, end)
    size, position = varint(data, position, end)
    return Handle(offset, size), position


def _block(data: bytes, handle: Handle, limit: int) -> bytes:
    """A block's bytes, decompressed, after its checksum."""
    end = handle.offset + handle.size
    if end + TRAILER > limit:
        raise Corrupt(f"byte {handle.offset}: a block of {handle.size} bytes ends beyond the table")
    kind = data[end]
    checksum = int.from_bytes(data[end + 1 : end + TRAILER], "little")
    if masked_crc32c(data[handle.offset : end + 1]) != checksum:
        raise Corrupt(f"byte {handle.offset}: a block's checksum differs from what is stored: it was damaged")
    content = data[handle.offset : end]
    if kind == PLAIN:
        return content
    if kind == SNAPPY:
        return decompress(content)
    raise Unsupported(f"byte {end}: a block compressed in the way {kind}, which is none of LevelDB's")


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block; each key says how much it shares with the one before."""
    count = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (count + 1)
    if len(block) < 4 or end < 0:
        raise Corrupt(f"a block of {len(block)} bytes has {count} restarts")
    key, position = b"", 0
    while position < end:
        shared, position = varint(block, position, end)
        added, position = varint(block, position, end)
        size, position = varint(block, position, end)
        if shared > len(key) or position + added + size > end:
            raise Corrupt(f"byte {position} of a block: an entry that does not fit")
        key = key[:shared] + block[position : position + added]
        position += added
        yield key, block[position : position + size]
        position += size
