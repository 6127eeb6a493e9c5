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
    output = bytearray()
    while position < len(data) and len(output) <= length:
        position = _element(data, position, output)
    if len(output) != length:
        raise Corrupt(f"a compressed block expands to {len(output)} bytes, expected {length}")
    return bytes(output)


def _element(data: bytes, position: int, output: bytearray) -> int:
    """Appends what the element at a position stands for, and returns where the next begins."""
    tag = data[position]
    kind = tag & 3
    position += 1
    if kind == 0:
        return _literal(data, position, tag >> 2, output)
    size = {1: 1, 2: 2, 3: 4}[kind]
    low = int.from_bytes(data[position : position + size], "little")
    if kind == 1:
        offset = (tag >> 5) << 8 | low
        length = (tag >> 2 & 7) + 4
    else:
        offset = low
        length = (tag >> 2) + 1
    if position + size > len(data) or not 0 < offset <= len(output):
        known = f"where {len(output)} are known"
        raise Corrupt(f"byte {position}: a copy of a compressed block from {offset} bytes before, {known}")
    _copy(output, offset, length)
    return position + size


def _copy(output: bytearray, offset: int, length: int) -> None:
    """Repeats bytes from an offset before the end; a copy may run into what it writes itself."""
    start = len(output) - offset
    run = bytes(output[start : start + length])
    output += (run * (length // len(run) + 1))[:length]


def _literal(data: bytes, position: int, length: int, output: bytearray) -> int:
    if length >= 60:
        size = length - 59
        length = int.from_bytes(data[position : position + size], "little")
        position += size
    end = position + length + 1
    if end > len(data):
        raise Corrupt(f"byte {position}: a run of {length + 1} bytes ends beyond the compressed block")
    output += data[position:end]
    return end
