"""Snappy's raw format (google/snappy, format_description.txt), decompressed within a limit."""

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.wire import varint

MOST = 64 << 20  # blocks of a checkpoint's index have 256 KB
EXPANSION = 64  # a copy of three bytes gives at most 64


def decompress(data: bytes) -> bytes:
    """Raises Corrupt for malformed data, ResourceBomb for a length that no data or block can have."""
    length, position = varint(data, 0, len(data))
    if length > MOST or length > EXPANSION * len(data):
        raise ResourceBomb(f"a block of {len(data)} bytes that says it expands to {length}")
    found = bytearray()
    while position < len(data):
        position = _element(data, position, found)
        if len(found) > length:
            break
    if len(found) != length:
        raise Corrupt(f"a compressed block expands to {len(found)} bytes, expected {length}")
    return bytes(found)


def _element(data: bytes, position: int, found: bytearray) -> int:
    """Appends what the element at a position stands for, and returns where the next begins."""
    tag = data[position]
    kind, position = tag & 3, position + 1
    if kind == 0:
        return _literal(data, position, tag >> 2, found)
    size = {1: 1, 2: 2, 3: 4}[kind]
    low = int.from_bytes(data[position : position + size], "little")
    offset = (tag >> 5) << 8 | low if kind == 1 else low
    length = (tag >> 2 & 7) + 4 if kind == 1 else (tag >> 2) + 1
    if position + size > len(data) or not 0 < offset <= len(found):
        raise Corrupt(
            f"byte {position}: a copy of a compressed block from {offset} bytes before, where {len(found)} are known"
        )
    start = len(found) - offset
    run = bytes(found[start : start + length])
    found += (run * (length // len(run) + 1))[:length]
    return position + size


def _literal(data: bytes, position: int, length: int, found: bytearray) -> int:
    if length >= 60:
        size = length - 59
        length, position = int.from_bytes(data[position : position + size], "little"), position + size
    end = position + length + 1
    if end > len(data):
        raise Corrupt(f"byte {position}: a run of {length + 1} bytes ends beyond the compressed block")
    found += data[position:end]
    return end
