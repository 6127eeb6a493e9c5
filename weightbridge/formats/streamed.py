"""Arrays that go from file to file in pieces, where loading one is no more than reading its bytes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Corrupt, MissingFile
from weightbridge.model.tensors import Array, Tensor, dtype_of

PIECE = 1 << 18  # bytes that stay near the processor; a multiple of every dtype's
Pieces = Iterator[memoryview]


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes of a file in a row: an array's as they are in memory, in C order. label: what messages say."""

    path: Path
    start: int
    nbytes: int
    label: str


@runtime_checkable
class Located(Protocol):
    """A tensor's `load` that knows where the bytes lie; None where it does more than read them."""

    @property
    def run(self) -> Run | None: ...


@dataclass(frozen=True, slots=True)
class LittleEndian:
    """A `load` of numbers in a row, the lowest byte first: as they are in memory on most machines."""

    load: Callable[[], Array]
    place: Run

    def __call__(self) -> Array:
        return self.load()

    @property
    def run(self) -> Run | None:
        return self.place if sys.byteorder == "little" else None


@dataclass(frozen=True, slots=True)
class Streamed:
    """An array whose bytes come by in pieces: each is only there until the next one is asked for."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[], Pieces]

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


Value = Array | Streamed


def as_stored(tensor: Tensor) -> Value:
    """The tensor's value: a large one in pieces where that can be, else loaded."""
    return in_pieces(tensor) or tensor.load()


def in_pieces(tensor: Tensor) -> Streamed | None:
    """None for a tensor that is small, or whose bytes do not lie in a row as they are wanted."""
    run = tensor.load.run if isinstance(tensor.load, Located) else None
    if run is None or run.nbytes <= PIECE:
        return None
    assert run.nbytes == tensor.nbytes, f"{tensor.name}: {run.nbytes} bytes, {tensor.nbytes} expected"
    return Streamed(tensor.shape, dtype_of(tensor.dtype), partial(_read, run))


def through(value: Streamed, look: Callable[[Pieces], Pieces]) -> Streamed:
    """The same, with something that looks at the pieces as they go by; anew each time they do."""
    return replace(value, pieces=lambda: look(value.pieces()))


def pieces_of(value: Value, dtype: np.dtype[Any]) -> Iterable[memoryview]:
    """The bytes of a value in C order, of this dtype."""
    if isinstance(value, Streamed) and value.dtype == dtype:
        return value.pieces()
    exact = np.ascontiguousarray(whole_of(value), dtype)
    data = memoryview(exact.reshape(-1).view(np.uint8).data)
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


def whole_of(value: Value) -> Array:
    """The value as an array in memory."""
    if not isinstance(value, Streamed):
        return value
    array = np.empty(value.shape, value.dtype)
    flat, position = array.reshape(-1).view(np.uint8), 0
    for piece in value.pieces():
        flat[position : position + len(piece)] = piece
        position += len(piece)
    return array


def _read(run: Run) -> Pieces:
    """Into one buffer, again and again. Raises Corrupt where the file has become shorter."""
    buffer = memoryview(bytearray(PIECE))
    try:
        with run.path.open("rb") as file:
            file.seek(run.start)
            for start in range(0, run.nbytes, PIECE):
                piece = buffer[: min(PIECE, run.nbytes - start)]
                if file.readinto(piece) < len(piece):
                    message = "the file has become shorter since its header was read"
                    raise Corrupt(message, where=run.label, fix="Run it again")
                yield piece
    except OSError as error:
        message, fix = f"cannot be read: {error.strerror}", "Check its permissions"
        raise MissingFile(message, where=str(run.path), fix=fix) from error
