"""A written ONNX file in which nodes that shared an initializer read one of their own."""

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.errors import Unsupported
from weightbridge.formats.onnx.tensors import DTYPES
from weightbridge.formats.onnx.uses import Use
from weightbridge.formats.onnx.write import LIMIT
from weightbridge.formats.wire import LENGTH, VARINT, Buffer, Field, Span, encoded, fields, span_of, text
from weightbridge.model.tensors import Array, dtype_of

IR_VERSION, GRAPH = 1, 7  # fields of a model
NODE, INITIALIZER = 1, 5  # of a graph
INPUT, OUTPUT = 1, 2  # of a node
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9  # of a tensor
FIRST_WITHOUT_INPUTS = 4  # from this version on an initializer need not be an input of the graph
CHUNK = 1 << 24

Piece = bytes | Span


@dataclass(frozen=True, slots=True)
class Own:
    """A new initializer, and the input of a node that is to read it."""

    name: str
    use: Use
    array: Array


def give_own(path: Path, owns: Sequence[Own]) -> None:
    """Rewrites the file. Raises Unsupported beyond protobuf's 2 GB."""
    copy = path.with_name(f"{path.name}.apart")
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            pieces = list(_model(data, owns))
            if _length(pieces) > LIMIT:
                message = "with an initializer for each layer, the model is too large for one ONNX file"
                raise Unsupported(message, where=str(path), fix="Transfer into .safetensors")
            with copy.open("wb") as output:
                for piece in pieces:
                    _write(output, data, piece)
        os.replace(copy, path)
    finally:
        copy.unlink(missing_ok=True)


def _model(data: Buffer, owns: Sequence[Own]) -> Iterator[Piece]:
    done = 0
    for field in fields(data, Span(0, len(data))):
        if field.number == IR_VERSION and field.wire == VARINT:
            yield _number(IR_VERSION, max(field.value, FIRST_WITHOUT_INPUTS))
        elif field.number == GRAPH and field.wire == LENGTH:
            yield from _message(GRAPH, list(_graph(data, span_of(field), owns)))
        else:
            yield Span(done, field.end)
        done = field.end


def _graph(data: Buffer, span: Span, owns: Sequence[Own]) -> Iterator[Piece]:
    """Runs of the graph as they are, the nodes that read something else, and the new initializers."""
    renamed: dict[str, dict[int, str]] = {}
    for own in owns:
        renamed.setdefault(own.use.output, {})[own.use.place] = own.name
    begin = done = span.start
    for field in fields(data, span):
        if field.number == NODE and field.wire == LENGTH:
            places = renamed.get(_first_output(data, span_of(field)))
            if places:
                yield Span(begin, done)
                yield from _message(NODE, list(_node(data, span_of(field), places)))
                begin = field.end
        done = field.end
    yield Span(begin, done)
    for own in owns:
        yield from _message(INITIALIZER, [_tensor(own)])


def _first_output(data: Buffer, span: Span) -> str:
    return next((text(data, field) for field in fields(data, span) if field.number == OUTPUT), "")


def _node(data: Buffer, span: Span, places: Mapping[int, str]) -> Iterator[Piece]:
    place, done = 0, span.start
    for field in fields(data, span):
        if _is_input(field):
            name = places.get(place)
            place += 1
            yield _text(INPUT, name) if name is not None else Span(done, field.end)
        else:
            yield Span(done, field.end)
        done = field.end


def _is_input(field: Field) -> bool:
    return field.number == INPUT and field.wire == LENGTH


def _tensor(own: Own) -> bytes:
    dtype = dtype_of(DTYPES[own.use.header.elem_type]).newbyteorder("<")
    raw = np.ascontiguousarray(own.array, dtype).tobytes()
    head = b"".join(_number(DIMS, length) for length in own.use.header.dims)
    head += _number(DATA_TYPE, own.use.header.elem_type) + _text(NAME, own.name)
    return head + encoded(RAW_DATA << 3 | LENGTH) + encoded(len(raw)) + raw


def _number(field: int, value: int) -> bytes:
    return encoded(field << 3 | VARINT) + encoded(value)


def _text(field: int, value: str) -> bytes:
    octets = value.encode()
    return encoded(field << 3 | LENGTH) + encoded(len(octets)) + octets


def _message(field: int, pieces: list[Piece]) -> Iterator[Piece]:
    yield encoded(field << 3 | LENGTH) + encoded(_length(pieces))
    yield from pieces


def _length(pieces: Sequence[Piece]) -> int:
    return sum(piece.end - piece.start if isinstance(piece, Span) else len(piece) for piece in pieces)


def _write(output: BinaryIO, data: Buffer, piece: Piece) -> None:
    if not isinstance(piece, Span):
        output.write(piece)
        return
    for start in range(piece.start, piece.end, CHUNK):
        output.write(data[start : min(start + CHUNK, piece.end)])
