"""Protobuf's wire format, read lazily: every length is checked against its message."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from weightbridge.errors import Corrupt
from weightbridge.model.tensors import Array

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}  # bytes
Buffer = Any  # bytes or mmap.mmap: indexing gives an int, slicing gives bytes


class Field(NamedTuple):
    """One field of a message.

    `start` and `end` span the payload; `value` is the number of a varint, else 0.
    """

    number: int
    wire: int
    start: int
    end: int
    value: int


class Span(NamedTuple):
    """Where a message or a string lies in the buffer."""

    start: int
    end: int


def fields(data: Buffer, span: Span) -> Iterator[Field]:
    """The fields of the message at `span`, in the file's order. Raises Corrupt where one does not fit."""
    position, end = span
    while position < end:
        tag, start = varint(data, position, end)
        field = _field(data, tag, start, end)
        position = field.end
        if not field.number or position > end:
            begins = f"byte {field.start}: field {field.number}"
            raise Corrupt(f"{begins} ends at byte {position}, its message at byte {end}")
        yield field


def _field(data: Buffer, tag: int, start: int, end: int) -> Field:
    """The field behind a tag; it may end beyond its message."""
    number, wire = tag >> 3, tag & 7
    if wire == LENGTH:
        length, start = varint(data, start, end)
        return Field(number, wire, start, start + length, 0)
    if wire == VARINT:
        value, stop = varint(data, start, end)
        return Field(number, wire, start, stop, value)
    if wire in FIXED:
        return Field(number, wire, start, start + FIXED[wire], 0)
    raise Corrupt(f"byte {start}: wire type {wire} is none of protobuf's")


def varint(data: Buffer, position: int, end: int) -> tuple[int, int]:
    """The unsigned 64-bit number at `position`, and where it ends."""
    if position < end and data[position] < 0x80:
        return data[position], position + 1
    value = 0
    for i in range(10):
        if position + i >= end:
            raise Corrupt(f"byte {position}: a number is cut off")
        byte = data[position + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position + i + 1
    raise Corrupt(f"byte {position}: a number of more than ten bytes")


def signed(value: int) -> int:
    """An int64 or int32 as protobuf stores it: two's complement in 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def text(data: Buffer, field: Field) -> str:
    """A string field. Raises Corrupt where it is no UTF-8."""
    span = span_of(field)
    try:
        return bytes(data[span.start : span.end]).decode()
    except UnicodeDecodeError as error:
        raise Corrupt(f"byte {field.start}: a name that is no UTF-8") from error


def span_of(field: Field) -> Span:
    """The span of a nested message or string."""
    if field.wire != LENGTH:
        raise Corrupt(
            f"byte {field.start}: field {field.number} has wire type {field.wire}, expected a length"
        )
    return Span(field.start, field.end)


def integers(data: Buffer, field: Field) -> Array:
    """The values of a repeated integer field: one of them, or a packed run, as int64."""
    if field.wire == VARINT:
        return np.array([signed(field.value)], np.int64)
    span = span_of(field)
    raw = np.frombuffer(data[span.start : span.end], np.uint8)
    if not raw.size:
        return np.empty(0, np.int64)
    if raw[-1] >= 0x80:
        raise Corrupt(f"byte {field.end}: a number is cut off")
    last = np.flatnonzero(raw < 0x80)  # the last byte of each number
    first = np.concatenate([[0], last[:-1] + 1])
    if int((last - first).max()) > 9:
        raise Corrupt(f"byte {field.start}: a number of more than ten bytes")
    begins = np.repeat(first, last - first + 1)  # where the number of each byte begins
    shifts = 7 * (np.arange(raw.size) - begins)
    parts = (raw & 0x7F).astype(np.uint64) << shifts.astype(np.uint64)
    return np.add.reduceat(parts, first).view(np.int64)


def floats(data: Buffer, field: Field) -> Array:
    """The values of a repeated float or double field: one of them, or a packed run."""
    kind = "<f8" if field.wire == FIXED64 else "<f4"
    if field.wire == VARINT or (field.end - field.start) % 4:
        raise Corrupt(f"byte {field.start}: field {field.number} should hold floating point numbers")
    return np.frombuffer(data[field.start : field.end], kind)


def encoded(value: int) -> bytes:
    """An unsigned number as a varint."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
