"""ONNX's messages in protobuf's wire format (onnx/onnx.proto: field numbers and types)."""

import struct
from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.emit.values import ELEMENT_TYPES, Drawing, Initializer
from weightbridge.formats.onnx.proto import Graph, Node, ValueInfo
from weightbridge.formats.wire import FIXED32, LENGTH, VARINT, encoded
from weightbridge.model.tensors import dtype_of

FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 5, 6, 7, 8  # types of attributes
PRODUCER = "weightbridge"
BATCH = "batch"


class Zeros(int):
    """So many bytes that are zero, and need not be in memory."""


Piece = bytes | Zeros


def model_pieces(drawing: Drawing) -> Iterator[Piece]:
    """The bytes of a file, in order."""
    graph = list(_graph(drawing))
    yield _number(1, ir_version(drawing.opset)) + _text(2, PRODUCER)
    yield encoded(7 << 3 | LENGTH) + encoded(sum(map(_length, graph)))
    yield from graph
    yield _message(8, _text(1, "") + _number(2, drawing.opset))


def ir_version(opset: int) -> int:
    """The oldest version of the file format that goes with a version of the operators."""
    return 8 if opset <= 18 else 9 if opset <= 20 else 10


def _length(piece: Piece) -> int:
    return int(piece) if isinstance(piece, Zeros) else len(piece)


def _graph(drawing: Drawing) -> Iterator[Piece]:
    for node in drawing.nodes:
        yield _message(1, _node(node))
    yield _text(2, drawing.name)
    for tensor in drawing.initializers:
        yield from _initializer(tensor)
    yield b"".join(_message(11, _value_info(info)) for info in drawing.inputs)
    yield b"".join(_message(12, _value_info(info)) for info in drawing.outputs)


def _initializer(tensor: Initializer) -> Iterator[Piece]:
    nbytes = prod(tensor.shape) * dtype_of(tensor.dtype).itemsize
    head = _tensor_head(tensor) + encoded(9 << 3 | LENGTH) + encoded(nbytes)
    yield encoded(5 << 3 | LENGTH) + encoded(len(head) + nbytes) + head
    yield Zeros(nbytes) if tensor.value is None else _raw(tensor)


def _tensor(tensor: Initializer) -> bytes:
    assert tensor.value is not None, "a tensor inside a node has its value"
    return _tensor_head(tensor) + _bytes(9, _raw(tensor))


def _tensor_head(tensor: Initializer) -> bytes:
    dims = b"".join(_number(1, n) for n in tensor.shape)
    return dims + _number(2, ELEMENT_TYPES[tensor.dtype]) + _text(8, tensor.name)


def _raw(tensor: Initializer) -> bytes:
    dtype = dtype_of(tensor.dtype).newbyteorder("<")
    return np.ascontiguousarray(tensor.value, dtype).tobytes()


def _node(node: Node) -> bytes:
    inputs = b"".join(_text(1, name) for name in node.inputs)
    outputs = b"".join(_text(2, name) for name in node.outputs)
    attributes = (_message(5, _attribute(name, node.attributes[name])) for name in sorted(node.attributes))
    domain = _text(7, node.domain) if node.domain else b""
    return inputs + outputs + _text(3, node.name) + _text(4, node.op) + b"".join(attributes) + domain


def _attribute(name: str, value: Any) -> bytes:
    match value:
        case bool() | int():
            kind, content = INT, _number(3, int(value))
        case float():
            kind, content = FLOAT, _float(2, value)
        case str():
            kind, content = STRING, _text(4, value)
        case Initializer():
            kind, content = TENSOR, _message(5, _tensor(value))
        case Graph():
            kind, content = GRAPH, _message(6, _subgraph(value))
        case _:
            kind, content = _list(tuple(value))
    return _text(1, name) + content + _number(20, kind)


def _list(values: tuple[Any, ...]) -> tuple[int, bytes]:
    if values and isinstance(values[0], str):
        return STRINGS, b"".join(_text(9, value) for value in values)
    if values and isinstance(values[0], float):
        return FLOATS, b"".join(_float(7, value) for value in values)
    return INTS, b"".join(_number(8, value) for value in values)


def _subgraph(graph: Graph) -> bytes:
    nodes = b"".join(_message(1, _node(node)) for node in graph.nodes)
    inputs = b"".join(_message(11, _value_info(info)) for info in graph.inputs)
    outputs = b"".join(_message(12, _value_info(info)) for info in graph.outputs)
    return nodes + _text(2, graph.name) + inputs + outputs


def _value_info(info: ValueInfo) -> bytes:
    kind = _number(1, info.elem_type)
    if info.shape is not None:
        kind += _message(2, b"".join(_message(1, dim) for dim in _dims(info)))
    return _text(1, info.name) + _message(2, _message(1, kind))


def _dims(info: ValueInfo) -> Iterable[bytes]:
    """An unknown length has a name; that of the batch is the same everywhere."""
    for axis, length in enumerate(info.shape or ()):
        if length is not None:
            yield _number(1, length)
        else:
            yield _text(2, f"{info.name}_{axis}" if axis else BATCH)


def _number(field: int, value: int) -> bytes:
    return encoded(field << 3 | VARINT) + encoded(value & 0xFFFFFFFFFFFFFFFF)


def _float(field: int, value: float) -> bytes:
    return encoded(field << 3 | FIXED32) + struct.pack("<f", value)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def _message(field: int, content: bytes) -> bytes:
    return _bytes(field, content)


def _bytes(field: int, content: bytes) -> bytes:
    return encoded(field << 3 | LENGTH) + encoded(len(content)) + content
