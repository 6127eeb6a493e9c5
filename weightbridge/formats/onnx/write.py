"""Writing ONNX: a copy of a file in which tensors have other bytes.

Tensors that are stored as plain bytes are patched where they are. External data and values that are stored
one by one become raw bytes of the copy, so that one file is all that has to be renamed into place.
"""

import mmap
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from weightbridge.boundary.records import dataclass
from weightbridge.errors import OutputError, Unsupported
from weightbridge.formats.onnx.proto import TYPED_DATA, Graph, Model, TensorHeader
from weightbridge.formats.onnx.tensors import DTYPES, check, loader, stored_bytes
from weightbridge.formats.onnx.values.subgraphs import subgraphs
from weightbridge.formats.streamed import Value, pieces_of
from weightbridge.formats.wire import LENGTH, Buffer, Span, encoded, fields
from weightbridge.model.tensors import dtype_of

LIMIT = (1 << 31) - 1  # bytes that a protobuf message may have
RAW_DATA = 9
EMBEDDED = frozenset({RAW_DATA, 13, 14, *TYPED_DATA})  # fields of a tensor that give way to raw_data
CHUNK = 1 << 24

Given = tuple[TensorHeader, str, Value]


@dataclass(frozen=True, slots=True)
class Insert:
    """A tensor's bytes, where they were not in the file before."""

    header: TensorHeader
    nbytes: int


Piece = bytes | Span | Insert
AsPieces = Callable[[Buffer, Span, TensorHeader], Iterator[Piece]]


def write_tensors(
    path: Path, model: Model, weights: Iterable[TensorHeader], output: Path, values: Iterable[Given]
) -> None:
    """Copies `path` to `output` and puts the values in, one at a time.

    weights: the tensors that may be among the values.
    Raises OutputError, or Unsupported beyond protobuf's 2 GB.
    """
    try:
        with path.open("rb") as source, output.open("w+b") as target:
            spans = {header.span for header in weights}
            starts = _copy(path, model, spans, source, target)
            for header, name, value in values:
                _patch(target, starts[header.span], header, name, value)
    except OSError as error:
        message, fix = f"cannot be written: {error.strerror}", "Check the space and the permissions there"
        raise OutputError(message, where=str(output), fix=fix) from error


def all_tensors(graph: Graph) -> Iterator[TensorHeader]:
    """The initializers, the tensors among the nodes' attributes, and those of subgraphs."""
    yield from graph.initializers
    for node in graph.nodes:
        for value in node.attributes.values():
            candidates = value if isinstance(value, tuple) else (value,)
            yield from (tensor for tensor in candidates if isinstance(tensor, TensorHeader))
        for inner in subgraphs(node):
            yield from all_tensors(inner)


def _patch(target: BinaryIO, start: int, header: TensorHeader, name: str, value: Value) -> None:
    dtype = dtype_of(DTYPES[header.elem_type])
    is_fitting = (value.shape, value.dtype) == (header.dims, dtype)
    assert is_fitting, f"{name}: {value.dtype}{value.shape} into {dtype}{header.dims}"
    target.seek(start + header.skipped * dtype.itemsize)
    for piece in pieces_of(value, dtype.newbyteorder("<")):
        target.write(piece)


def _copy(
    path: Path, model: Model, weights: set[Span], source: BinaryIO, target: BinaryIO
) -> dict[Span, int]:
    """Makes the copy; returns where in it each tensor's bytes begin, by the tensor's span in the source."""
    size = source.seek(0, 2)
    moved: dict[Span, TensorHeader] = {}
    kept: dict[Span, int] = {}
    readable = (header for header in all_tensors(model.graph) if header.elem_type in DTYPES)
    for header in readable:
        place = check(path, header, size)
        if place is not None and place.path == path:
            kept[header.span] = place.start
        elif place is not None or header.span in weights:
            moved[header.span] = header
    source.seek(0)
    if not moved:
        shutil.copyfileobj(source, target, CHUNK)
        return kept
    with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
        starts = sorted(span.start for span in moved)
        pieces = list(around(data, Span(0, size), moved, starts, _tensor))
        _check_length(path, pieces)
        return _written(path, data, pieces, target, kept)


def _check_length(path: Path, pieces: Iterable[Piece]) -> None:
    if _length(pieces) > LIMIT:
        message = "the model is larger than 2 GB, too large for one ONNX file"
        fix = "Transfer into .safetensors, or save the target without external data"
        raise Unsupported(message, where=str(path), fix=fix)


def around(
    data: Buffer, span: Span, moved: Mapping[Span, TensorHeader], starts: list[int], tensor: AsPieces
) -> Iterator[Piece]:
    """The message at `span` with what `tensor` makes of the moved tensors, and all lengths made right."""
    done = span.start
    for field in fields(data, span):
        inner = Span(field.start, field.end)
        if field.wire != LENGTH or not (inner in moved or _holds(inner, starts)):
            yield Span(done, field.end)
        else:
            is_tensor = inner in moved
            within = partial(around, data, inner, moved, starts, tensor)
            changed = list(tensor(data, inner, moved[inner]) if is_tensor else within())
            yield encoded(field.number << 3 | LENGTH) + encoded(_length(changed))
            yield from changed
        done = field.end


def _holds(span: Span, starts: list[int]) -> bool:
    """Whether a moved tensor lies inside."""
    i = bisect_right(starts, span.start)
    return i < len(starts) and starts[i] < span.end


def _tensor(data: Buffer, span: Span, header: TensorHeader) -> Iterator[Piece]:
    done = span.start
    for field in fields(data, span):
        if field.number not in EMBEDDED:
            yield Span(done, field.end)
        done = field.end
    nbytes = stored_bytes(header)
    yield encoded(RAW_DATA << 3 | LENGTH) + encoded(nbytes)
    yield Insert(header, nbytes)


def _written(
    path: Path, data: Buffer, pieces: Iterable[Piece], target: BinaryIO, kept: Mapping[Span, int]
) -> dict[Span, int]:
    """Writes the pieces; returns where each tensor's bytes are now."""
    starts: dict[Span, int] = {}
    copied: list[tuple[int, int]] = []  # where a run of the source begins, there and here
    for piece in pieces:
        match piece:
            case Span():
                copied.append((piece.start, target.tell()))
                _write_run(data, piece, target)
            case Insert(header=header):
                starts[header.span] = target.tell()
                array = loader(path, header, check(path, header, len(data)))()
                for data_piece in pieces_of(array, array.dtype.newbyteorder("<")):
                    target.write(data_piece)
            case _:
                target.write(piece)
    for span, start in kept.items():
        there, here = copied[bisect_right(copied, (start, LIMIT)) - 1]
        starts[span] = here + start - there
    return starts


def _write_run(data: Buffer, run: Span, target: BinaryIO) -> None:
    for start in range(run.start, run.end, CHUNK):
        end = min(start + CHUNK, run.end)
        target.write(data[start:end])


def _length(pieces: Iterable[Piece]) -> int:
    return sum(_piece_length(piece) for piece in pieces)


def _piece_length(piece: Piece) -> int:
    match piece:
        case Span():
            return piece.end - piece.start
        case Insert():
            return piece.nbytes
        case _:
            return len(piece)
