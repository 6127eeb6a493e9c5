"""Small .tflite files, written field by field: what a converter would never write too."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from weightbridge.formats.tflite.operators import OPERATORS

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}
INT_OFFSET = 4


@dataclass(frozen=True)
class Scalar:
    kind: str
    value: float


def byte(value: int) -> Scalar:
    return Scalar("b", value)


def integer(value: int) -> Scalar:
    return Scalar("i", value)


@dataclass
class Tensor:
    """array: a constant's values, None for others. same_as: the tensor whose buffer it shares."""

    name: str
    shape: Sequence[int]
    dtype: str = "float32"
    array: Any = None
    scale: Sequence[float] = ()
    zero_point: Sequence[int] = ()
    axis: int = 0
    same_as: int | None = None
    more: Mapping[int, Any] = field(default_factory=dict)


@dataclass
class Op:
    op: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[int, Any] = field(default_factory=dict)
    custom: str = ""


@dataclass
class Graph:
    tensors: Sequence[Tensor]
    ops: Sequence[Op]
    inputs: Sequence[int]
    outputs: Sequence[int]
    name: str = "main"


def saved(path: Path, *graphs: Graph, **changes: Any) -> Path:
    path.write_bytes(content(*graphs, **changes))
    return path


def content(
    *graphs: Graph, signatures: Sequence[tuple[str, int]] = (), more: Mapping[int, Any] | None = None
) -> bytes:
    """The bytes of a model with these subgraphs. more: fields of the model itself."""
    kinds = list(dict.fromkeys((op.op, op.custom) for graph in graphs for op in graph.ops))
    buffers: list[dict[int, Any]] = [{}]
    subgraphs = [_subgraph(graph, kinds, buffers) for graph in graphs]
    fields = {
        0: integer(3),
        1: [_kind(*kind) for kind in kinds],
        2: subgraphs,
        3: "by hand",
        4: buffers,
        7: [{2: name, 4: integer(number)} for name, number in signatures],
    }
    data = bytearray(b"\0\0\0\0TFL3")
    struct.pack_into("<I", data, 0, _table(data, {**fields, **(more or {})}))
    return bytes(data)


def _kind(op: str, custom: str) -> dict[int, Any]:
    number = OPERATORS.index(op)
    found: dict[int, Any] = {0: byte(min(number, 127)), 3: integer(number)}
    return found | ({1: custom} if custom else {})


def _subgraph(graph: Graph, kinds: list[tuple[str, str]], buffers: list[dict[int, Any]]) -> dict[int, Any]:
    numbers: list[int] = []
    for tensor in graph.tensors:
        numbers.append(_buffer(tensor, numbers, buffers))
    tensors = [_tensor(tensor, number) for tensor, number in zip(graph.tensors, numbers, strict=True)]
    ops = [
        {
            0: integer(kinds.index((op.op, op.custom))),
            1: _ints(op.inputs),
            2: _ints(op.outputs),
            4: dict(op.options),
        }
        for op in graph.ops
    ]
    return {0: tensors, 1: _ints(graph.inputs), 2: _ints(graph.outputs), 3: ops, 4: graph.name}


def _buffer(tensor: Tensor, numbers: list[int], buffers: list[dict[int, Any]]) -> int:
    if tensor.same_as is not None:
        return numbers[tensor.same_as]
    if tensor.array is None:
        return 0
    buffers.append({0: np.frombuffer(np.asarray(tensor.array, tensor.dtype).tobytes(), np.uint8)})
    return len(buffers) - 1


def _tensor(tensor: Tensor, buffer: int) -> dict[int, Any]:
    found: dict[int, Any] = {
        0: _ints(tensor.shape),
        1: byte(TYPES[tensor.dtype]),
        2: integer(buffer),
        3: tensor.name,
    }
    if tensor.scale:
        zero_point = np.array(tensor.zero_point, np.int64)
        found[4] = {2: np.array(tensor.scale, np.float32), 3: zero_point, 6: integer(tensor.axis)}
    return {**found, **tensor.more}


def _ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int32)


def _table(data: bytearray, fields: Mapping[int, Any]) -> int:
    """Appends a table, and behind it what it points to; returns where it is."""
    offsets, inline, size = {}, [], INT_OFFSET
    for number in sorted(fields):
        value = fields[number]
        width = struct.calcsize(value.kind) if isinstance(value, Scalar) else INT_OFFSET
        offsets[number] = size
        inline.append((size, value))
        size += width
    count = max(fields, default=-1) + 1
    vtable = len(data)
    data += struct.pack("<HH", 4 + 2 * count, size)
    data += b"".join(struct.pack("<H", offsets.get(number, 0)) for number in range(count))
    start = len(data)
    data += bytes(size)
    struct.pack_into("<i", data, start, start - vtable)
    for at, value in inline:
        if isinstance(value, Scalar):
            struct.pack_into(f"<{value.kind}", data, start + at, value.value)
        else:
            struct.pack_into("<I", data, start + at, _pointed(data, value) - start - at)
    return start


def _pointed(data: bytearray, value: Any) -> int:
    """Appends a table, a text, numbers or a vector of tables."""
    if isinstance(value, Mapping):
        return _table(data, value)
    start = len(data)
    if isinstance(value, str):
        data += struct.pack("<I", len(value.encode())) + value.encode() + b"\0"
    elif isinstance(value, np.ndarray):
        data += struct.pack("<I", len(value)) + value.tobytes()
    else:
        data += struct.pack("<I", len(value)) + bytes(INT_OFFSET * len(value))
        for n, table in enumerate(value):
            at = start + INT_OFFSET * (n + 1)
            struct.pack_into("<I", data, at, _table(data, table) - at)
    return start
