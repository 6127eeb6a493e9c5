"""The keys of a partitioned variable's parts (tensorflow/core/lib/strings/ordered_code.cc)."""

from typing import NamedTuple

WHOLE = -1


class Extent(NamedTuple):
    """A part of one axis; a length of -1 is all of it."""

    start: int
    length: int


def slice_key(name: str, extents: tuple[Extent, ...]) -> bytes:
    """The key of a part."""
    numbers = [number for extent in extents for number in extent]
    place = b"".join(map(_signed, numbers))
    return b"\x00" + _string(name.encode()) + _count(len(extents)) + place


def _count(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([size]) + value.to_bytes(size, "big")


def _string(value: bytes) -> bytes:
    """Zeros and 255s are escaped, so that keys sort as their texts do."""
    escapes = {0: b"\x00\xff", 255: b"\xff\x00"}
    escaped = b"".join(escapes.get(byte, bytes([byte])) for byte in value)
    return escaped + b"\x00\x01"


def _signed(value: int) -> bytes:
    """Seven bits a byte; the first bits say how many bytes there are, and turn over for negative numbers."""
    magnitude = value if value >= 0 else ~value
    size = magnitude.bit_length() // 7 + 1
    complement = value.to_bytes(size, "big", signed=True)
    plain = int.from_bytes(complement, "big")
    ones = (1 << size) - 1
    header = ones << (8 * size - size)
    return (plain ^ header).to_bytes(size, "big")
