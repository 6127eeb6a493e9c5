"""The large weights of a graph apart from it: sessions are given the arrays, copies of the graph are small.

A graph of half a gigabyte is else in memory five times before it runs: as it is parsed, copied and written
for the runtime, which parses it again.
"""

import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from weightbridge.formats.onnx.proto import Model, TensorHeader
from weightbridge.formats.onnx.tensors import DTYPES, check, loader, stored_bytes
from weightbridge.formats.onnx.values.subgraphs import subgraphs
from weightbridge.formats.onnx.write import EMBEDDED, RAW_DATA, Insert, Piece, all_tensors, around
from weightbridge.formats.wire import LENGTH, VARINT, Buffer, Span, encoded, fields
from weightbridge.model.tensors import Array

Weights = Mapping[str, Callable[[], Array]]  # by the initializer's name
LARGE = 1 << 16  # bytes
FLOATS = (1, 11)  # element types that a session takes as arrays
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of a tensor
APART = "weightbridge/apart"  # where the bytes are said to be, which nothing reads


def parted(path: Path, parsed: Model) -> tuple[Any, Weights]:
    """The file as a ModelProto without the bytes of its large weights, and those; no data lies beside it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        large = {header.span: header for header in _large(path, parsed, len(data))}
        beside = [h for h in all_tensors(parsed.graph) if h.external is not None and h.span not in large]
        moved = {**large, **{header.span: header for header in beside}}

        def tensor(data: Buffer, span: Span, header: TensorHeader) -> Iterator[Piece]:
            yield from _named_alone(data, span)
            yield _apart() if span in large else _embedded(path, header, len(data))

        pieces = around(data, Span(0, len(data)), moved, sorted(span.start for span in moved), tensor)
        proto = onnx.ModelProto.FromString(b"".join(_bytes(data, piece) for piece in pieces))
        size = len(data)
    loads = {h.name: loader(path, h, check(path, h, size)) for h in large.values()}
    return proto, loads


def is_apart(tensor: Any) -> bool:
    """Whether a TensorProto is one whose array stands apart."""
    return any(entry.value == APART for entry in tensor.external_data)


def given(proto: Any, weights: Weights) -> tuple[list[str], list[Array]]:
    """The names and the arrays that a session of this graph needs."""
    names = [tensor.name for tensor in proto.graph.initializer if is_apart(tensor)]
    return names, [np.ascontiguousarray(weights[name]()) for name in names]


def whole(proto: Any, weights: Weights) -> Any:
    """A copy of the graph with all its weights in it."""
    copy = type(proto)()
    copy.CopyFrom(proto)
    for tensor in copy.graph.initializer:
        if is_apart(tensor):
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name](), tensor.name))
    return copy


def in_double(weights: Weights, kept: Iterable[str]) -> Weights:
    """Those of a graph in float64. kept: the names of those whose type ONNX fixes."""
    stay = frozenset(kept)
    return {name: load if name in stay else partial(_widened, load) for name, load in weights.items()}


def _widened(load: Callable[[], Array]) -> Array:
    return load().astype(np.float64)


def _large(path: Path, parsed: Model, size: int) -> Iterator[TensorHeader]:
    """What the main graph's nodes read, as a runtime throws away what nothing does."""
    read = set(_read(parsed.graph.nodes))
    fed = {info.name for info in parsed.graph.inputs}
    for header in parsed.graph.initializers:
        is_float = header.elem_type in FLOATS and header.elem_type in DTYPES
        if not is_float or header.name not in read or header.name in fed:
            continue
        if stored_bytes(header) > LARGE and check(path, header, size) is not None:
            yield header


def _read(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        yield from node.inputs
        for inner in subgraphs(node):
            yield from _read(inner.nodes)


def _named_alone(data: Buffer, span: Span) -> Iterator[Piece]:
    """A tensor's fields but for its values."""
    done = span.start
    for field in fields(data, span):
        if field.number not in EMBEDDED:
            yield Span(done, field.end)
        done = field.end


def _apart() -> bytes:
    entry = _text(1, "location") + _text(2, APART)
    external = encoded(EXTERNAL_DATA << 3 | LENGTH) + encoded(len(entry)) + entry
    return external + encoded(DATA_LOCATION << 3 | VARINT) + encoded(TensorProto.EXTERNAL)


def _text(field: int, text: str) -> bytes:
    content = text.encode()
    return encoded(field << 3 | LENGTH) + encoded(len(content)) + content


def _embedded(path: Path, header: TensorHeader, size: int) -> bytes:
    place = check(path, header, size)
    assert place is not None, "external data lies in a row"
    with place.path.open("rb") as file:
        file.seek(place.start)
        content = file.read(place.nbytes)
    return encoded(RAW_DATA << 3 | LENGTH) + encoded(len(content)) + content


def _bytes(data: Buffer, piece: Piece) -> bytes:
    assert not isinstance(piece, Insert), "values are in the pieces already"
    return data[piece.start : piece.end] if isinstance(piece, Span) else piece
