"""Flatbuffers, read lazily: every offset and length is checked against the file before it is followed.

A table begins with the distance to its vtable, which says where each of its fields lies
(https://flatbuffers.dev/internals). Tables may share what they point to, so a small file can expand to far
more than it holds: what is read is counted.
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.wire import Buffer, Span
from weightbridge.model.tensors import Array

ROOM, TIMES = 1 << 20, 16  # bytes that may be read in all: these, and so many times the file
OFFSET = 4  # bytes


@dataclass(slots=True)
class Source:
    """The file's bytes, and how many of them may still be read."""

    data: Buffer
    size: int = field(init=False)
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.data)
        self.left = ROOM + TIMES * self.size

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ResourceBomb(f"its parts expand to more than {TIMES} times the {self.size} bytes it holds")

    def check(self, start: int, count: int) -> None:
        if start < 0 or count < 0 or start + count > self.size:
            raise Corrupt(f"byte {start}: {count} bytes are said to be here, the file has {self.size}")

    def number(self, kind: str, position: int) -> int | float:
        """A scalar by struct's letter for it."""
        count = struct.calcsize(kind)
        self.check(position, count)
        value: int | float = struct.unpack(f"<{kind}", self.data[position : position + count])[0]
        return value

    def integer(self, kind: str, position: int) -> int:
        return int(self.number(kind, position))


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Fields are asked for by the numbers that they have in the schema."""

    source: Source
    position: int
    vtable: int
    fields: int

    def number(self, field: int, kind: str, default: int | float = 0) -> int | float:
        at = self._at(field)
        return default if at is None else self.source.number(kind, at)

    def byte(self, field: int) -> int:
        return int(self.number(field, "b"))

    def integer(self, field: int, default: int = 0) -> int:
        return int(self.number(field, "i", default))

    def unsigned(self, field: int) -> int:
        return int(self.number(field, "I"))

    def long(self, field: int) -> int:
        return int(self.number(field, "Q"))

    def decimal(self, field: int) -> float:
        return float(self.number(field, "f"))

    def flag(self, field: int) -> bool:
        return bool(self.number(field, "b"))

    def table(self, field: int) -> "Table | None":
        at = self._at(field)
        return None if at is None else table_at(self.source, self._target(at))

    def tables(self, field: int) -> "tuple[Table, ...]":
        """The tables of a vector."""
        span = self.vector(field, OFFSET)
        if span is None:
            return ()
        self.source.spend(span.end - span.start)
        return tuple(table_at(self.source, self._target(at)) for at in range(span.start, span.end, OFFSET))

    def vector(self, field: int, width: int) -> Span | None:
        """Where the elements of a vector lie, each of so many bytes; None where it is left out."""
        at = self._at(field)
        if at is None:
            return None
        start = self._target(at)
        count = self.source.integer("I", start) * width
        self.source.check(start + OFFSET, count)
        return Span(start + OFFSET, start + OFFSET + count)

    def array(self, field: int, dtype: str) -> Array | None:
        """The numbers of a vector; None where it is left out."""
        kind = np.dtype(dtype).newbyteorder("<")
        span = self.vector(field, kind.itemsize)
        if span is None:
            return None
        self.source.spend(span.end - span.start)
        return np.frombuffer(bytes(self.source.data[span.start : span.end]), kind)

    def integers(self, field: int) -> tuple[int, ...]:
        array = self.array(field, "int32")
        return () if array is None else tuple(array.tolist())

    def text(self, field: int) -> str:
        """A string, "" where it is left out. Raises Corrupt where it is no UTF-8."""
        span = self.vector(field, 1)
        if span is None:
            return ""
        self.source.spend(span.end - span.start)
        try:
            return bytes(self.source.data[span.start : span.end]).decode()
        except UnicodeDecodeError as error:
            raise Corrupt(f"byte {span.start}: a name that is no UTF-8") from error

    def _at(self, field: int) -> int | None:
        """Where a field lies, None where it is left out."""
        if field >= self.fields:
            return None
        offset = self.source.integer("H", self.vtable + 4 + 2 * field)
        return self.position + offset if offset else None

    def _target(self, at: int) -> int:
        return at + self.source.integer("I", at)


def table_at(source: Source, position: int) -> Table:
    """The table at this byte. Raises Corrupt where it has no vtable."""
    vtable = position - source.integer("i", position)
    size = source.integer("H", vtable) if vtable >= 0 else 0
    source.check(vtable, size)
    if size < 4:
        raise Corrupt(f"byte {position}: a table whose description is {size} bytes long")
    source.spend(size)
    return Table(source, position, vtable, (size - 4) // 2)


def root(data: Buffer) -> Table:
    source = Source(data)
    return table_at(source, source.integer("I", 0))
