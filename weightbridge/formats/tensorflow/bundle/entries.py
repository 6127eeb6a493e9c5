"""The messages of a checkpoint's index (tensor_bundle.proto): header and entries, as values."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from weightbridge.errors import Corrupt, Unsupported
from weightbridge.formats.tensorflow.bundle.slices import WHOLE, Extent
from weightbridge.formats.wire import FIXED32, Buffer, Field, Span, fields, signed, span_of

MOST_AXES = 254  # TensorFlow's own limit
BIG_ENDIAN = 1
STRING = "string"
DAMAGED = "The files are truncated, damaged or of two checkpoints: copy all of them again"
DTYPES = {  # tensorflow/core/framework/types.proto; quantized types as what holds them
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: STRING, 8: "complex64",
    9: "int64", 10: "bool", 11: "int8", 12: "uint8", 13: "int32", 14: "bfloat16", 15: "int16", 16: "uint16",
    17: "uint16", 18: "complex128", 19: "float16",
    22: "uint32", 23: "uint64", 24: "float8_e5m2", 25: "float8_e4m3fn",
}  # fmt: skip


class Header(NamedTuple):
    """How many data files there are, and their byte order."""

    shards: int
    is_big_endian: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor, or a part of one, and where its bytes lie.

    slices: the parts of a tensor that has no bytes of its own.

    dtype: numpy's name, `string`, or "" for a type that is no number.
    """

    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[tuple[Extent, ...], ...] = ()


def parse_header(data: Buffer) -> Header:
    """Raises Unsupported for a version that readers of today must not read."""
    shards, endian = 0, 0
    for field in fields(data, Span(0, len(data))):
        if field.number == 1:
            shards = field.value
        elif field.number == 2:
            endian = field.value
        elif field.number == 3:
            _check_version(data, span_of(field))
    if not shards:
        raise Corrupt("the index's header says that there are no data files")
    return Header(shards, endian == BIG_ENDIAN)


def parse_entry(data: Buffer) -> Entry:
    """An entry of the index. Raises Corrupt."""
    numbers = {1: 0, 3: 0, 4: 0, 5: 0}
    shape: tuple[int, ...] = ()
    crc = 0
    slices = []
    for field in fields(data, Span(0, len(data))):
        if field.number in numbers:
            numbers[field.number] = signed(field.value)
        elif field.number == 2:
            shape = _known_shape(bytes(data[field.start : field.end]))
        elif field.number == 6 and field.wire == FIXED32:
            crc = int.from_bytes(data[field.start : field.end], "little")
        elif field.number == 7:
            slices.append(_slice(data, span_of(field)))
    kind, shard, offset, size = numbers.values()
    if min(kind, shard, offset, size) < 0:
        raise Corrupt(f"an entry with the file {shard}, the offset {offset} and the size {size}")
    return Entry(DTYPES.get(kind, ""), shape, shard, offset, size, crc, tuple(slices))


@lru_cache(4096)
def _known_shape(data: bytes) -> tuple[int, ...]:
    """Most tensors of a model have the shapes of others."""
    return parse_shape(data, Span(0, len(data)))


def parse_shape(data: Buffer, span: Span) -> tuple[int, ...]:
    """A TensorShapeProto whose sizes are all known."""
    axes = [span_of(field) for field in fields(data, span) if field.number == 2]
    shape = [_size(data, axis) for axis in axes]
    has_unknown = any(size < 0 for size in shape)
    if has_unknown or len(shape) > MOST_AXES:
        raise Corrupt(f"a tensor of the shape {shape[:8]}")
    return tuple(shape)


def _size(data: Buffer, span: Span) -> int:
    numbers = {field.number: signed(field.value) for field in fields(data, span)}
    return numbers.get(1, 0)


def _slice(data: Buffer, span: Span) -> tuple[Extent, ...]:
    extents = [field for field in fields(data, span) if field.number == 1]
    return tuple(_extent(data, extent) for extent in extents)


def _extent(data: Buffer, field: Field) -> Extent:
    span = span_of(field)
    numbers = {part.number: signed(part.value) for part in fields(data, span)}
    start = numbers.get(1, 0)
    length = numbers.get(2, WHOLE)
    return Extent(start, length)


def _check_version(data: Buffer, span: Span) -> None:
    numbers = {field.number: field.value for field in fields(data, span)}
    oldest_reader = numbers.get(2, 0)
    if oldest_reader > 1:
        raise Unsupported(
            f"a checkpoint that only readers of version {oldest_reader} may read",
            fix="Get a newer weightbridge",
        )
