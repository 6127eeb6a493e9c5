"""ONNX's messages as values: models, graphs, nodes, attributes and tensor headers, without the tensors'
bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.wire import (
    FIXED32,
    LENGTH,
    Buffer,
    Field,
    Span,
    fields,
    floats,
    integers,
    signed,
    span_of,
    text,
)

MAX_DEPTH = 30  # graphs inside graphs; protobuf itself stops at 100 messages, three per graph
FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 6, 7, 9, 10, 11
TYPED_DATA = (FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA)


@dataclass(frozen=True, slots=True, eq=False)
class TensorHeader:
    """A tensor without its bytes. `span` is the whole message, `raw` its raw_data, `typed` its typed fields,
    `external` its file.

    rows: for a run of rows of a tensor, the first of them and how many the whole one has (`dims`: the run's).
    scaling: how floats are made.
    """

    name: str
    dims: tuple[int, ...]
    elem_type: int
    span: Span
    raw: Span | None = None
    typed: tuple[Field, ...] = ()
    external: Mapping[str, str] | None = None
    rows: tuple[int, int] | None = None
    scaling: "Scaling | None" = None

    @property
    def whole(self) -> "TensorHeader":
        """The tensor that this is a run of, or itself."""
        return self if self.rows is None else replace(self, dims=(self.rows[1], *self.dims[1:]), rows=None)

    @property
    def skipped(self) -> int:
        """Elements before this run in the whole tensor."""
        return 0 if self.rows is None else self.rows[0] * prod(self.dims[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """(value - zero) x scale, with one scale, or one for each index along an axis."""

    scale: TensorHeader
    zero: TensorHeader | None
    axis: int


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Attribute values are int, float, str, tuples of these, TensorHeader or Graph."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ValueInfo:
    """A value's name, element type and shape with the batch axis; None where the file does not say."""

    name: str
    elem_type: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True, slots=True)
class Graph:
    name: str
    nodes: tuple[Node, ...]
    initializers: tuple[TensorHeader, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    value_infos: tuple[ValueInfo, ...]
    sparse: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    ir_version: int
    producer: str
    opsets: Mapping[str, int]
    graph: Graph
    functions: int = 0


def parse_model(data: Buffer) -> Model:
    """The model in a buffer. Raises Corrupt or ResourceBomb."""
    found = _collect(
        data, Span(0, len(data)), {1: _number, 2: text, 3: text, 7: _as_span, 8: _as_span, 25: _as_span}
    )
    if len(found[7]) != 1:
        raise Corrupt(f"an ONNX model with {len(found[7])} graphs, expected one")
    opsets = (_collect(data, span, {1: text, 2: _number}) for span in found[8])
    versions = {_last(o[1], ""): _last(o[2], 0) for o in opsets}
    producer = " ".join(part for part in (_last(found[2], ""), _last(found[3], "")) if part)
    graph = parse_graph(data, found[7][0], MAX_DEPTH)
    return Model(_last(found[1], 0), producer, MappingProxyType(versions), graph, len(found[25]))


def parse_graph(data: Buffer, span: Span, depth: int) -> Graph:
    if depth <= 0:
        raise ResourceBomb(f"byte {span.start}: graphs nested more than {MAX_DEPTH} deep")
    found = _collect(
        data,
        span,
        {1: _as_span, 2: text, 5: _as_span, 11: _as_span, 12: _as_span, 13: _as_span, 15: _as_span},
    )
    infos = {number: tuple(_value_info(data, s) for s in found[number]) for number in (11, 12, 13)}
    nodes = tuple(_node(data, s, depth) for s in found[1])
    tensors = tuple(parse_tensor(data, s) for s in found[5])
    return Graph(_last(found[2], ""), nodes, tensors, infos[11], infos[12], infos[13], len(found[15]))


def parse_tensor(data: Buffer, span: Span) -> TensorHeader:
    """A tensor's header; its bytes are only located."""
    dims: list[int] = []
    typed: list[Field] = []
    external: dict[str, str] = {}
    name, elem_type, raw, location = "", 0, None, 0
    for field in fields(data, span):
        match field.number:
            case 1:
                dims += integers(data, field).tolist()
            case 2:
                elem_type = field.value
            case 8:
                name = text(data, field)
            case 9:
                raw = span_of(field)
            case 13:
                pair = _collect(data, span_of(field), {1: text, 2: text})
                external[_last(pair[1], "")] = _last(pair[2], "")
            case 14:
                location = field.value
            case number if number in TYPED_DATA:
                typed.append(field)
    if len(dims) > 64 or any(d < 0 for d in dims):
        raise Corrupt(f"byte {span.start}: tensor {name!r} has the shape {dims[:8]}")
    return TensorHeader(
        name,
        tuple(dims),
        elem_type,
        span,
        raw,
        tuple(typed),
        MappingProxyType(external) if location == 1 else None,
    )


def _node(data: Buffer, span: Span, depth: int) -> Node:
    found = _collect(data, span, {1: text, 2: text, 3: text, 4: text, 5: _as_span, 7: text})
    attributes = dict(_attribute(data, s, depth) for s in found[5])
    domain = _last(found[7], "")
    return Node(
        name=_last(found[3], ""),
        op=_last(found[4], ""),
        domain="" if domain == "ai.onnx" else domain,
        inputs=tuple(found[1]),
        outputs=tuple(found[2]),
        attributes=MappingProxyType(attributes),
    )


def _attribute(data: Buffer, span: Span, depth: int) -> tuple[str, Any]:
    def graph(buffer: Buffer, field: Field) -> Graph:
        return parse_graph(buffer, span_of(field), depth - 1)

    found = _collect(data, span, {**ATTRIBUTE_FIELDS, 6: graph, 11: graph})
    name, kind = _last(found[1], ""), _last(found[20], 0)
    if not kind:  # old files leave the type out: whatever is there
        kind = next((k for k, number in KINDS.items() if found[number]), 0)
    values = found[KINDS[kind]] if kind in KINDS else []
    if kind in REPEATED:
        return name, tuple(v for part in values for v in (part if isinstance(part, list) else [part]))
    return name, _last(values, {1: 0.0, 2: 0, 3: ""}.get(kind))


def _float(data: Buffer, field: Field) -> float:
    if field.wire != FIXED32:
        raise Corrupt(f"byte {field.start}: field {field.number} should be a float")
    return float(floats(data, field)[0])


def _tensor(data: Buffer, field: Field) -> TensorHeader:
    return parse_tensor(data, span_of(field))


def _floats(data: Buffer, field: Field) -> list[float]:
    return [float(n) for n in floats(data, field)]


def _integers(data: Buffer, field: Field) -> list[int]:
    return [int(n) for n in integers(data, field)]


def _bytes(data: Buffer, field: Field) -> str:
    """A byte string, as text: names of modes and directions; anything else is only shown."""
    span = span_of(field)
    return bytes(data[span.start : min(span.end, span.start + 4096)]).decode(errors="replace")


def _value_info(data: Buffer, span: Span) -> ValueInfo:
    found = _collect(data, span, {1: text, 2: _as_span})
    for type_span in found[2]:
        for tensor_span in _collect(data, type_span, {1: _as_span})[1]:
            tensor = _collect(data, tensor_span, {1: _number, 2: _as_span})
            shape = (
                tuple(_dimension(data, s) for s in _collect(data, tensor[2][-1], {1: _as_span})[1])
                if tensor[2]
                else None
            )
            return ValueInfo(_last(found[1], ""), _last(tensor[1], 0), shape)
    return ValueInfo(_last(found[1], ""), 0, None)


def _dimension(data: Buffer, span: Span) -> int | None:
    value: int | None = None
    for field in fields(data, span):
        if field.number == 1 and field.wire != LENGTH:
            value = signed(field.value)
    return value if value is not None and value > 0 else None


def _collect(
    data: Buffer, span: Span, wanted: Mapping[int, Callable[[Buffer, Field], Any]]
) -> dict[int, list[Any]]:
    """The values of the wanted fields, all others skipped."""
    found: dict[int, list[Any]] = {number: [] for number in wanted}
    for field in fields(data, span):
        if field.number in found:
            found[field.number].append(wanted[field.number](data, field))
    return found


def _number(_: Buffer, field: Field) -> int:
    return signed(field.value)


def _as_span(_: Buffer, field: Field) -> Span:
    return span_of(field)


def _last(values: list[Any], default: Any) -> Any:
    """Of a field that occurs several times the last one counts, as in protobuf."""
    return values[-1] if values else default


KINDS: Mapping[int, int] = {
    1: 2,
    2: 3,
    3: 4,
    4: 5,
    5: 6,
    6: 7,
    7: 8,
    8: 9,
    9: 10,
    10: 11,
}  # AttributeProto.type -> its field
REPEATED = frozenset({6, 7, 8, 9, 10})
ATTRIBUTE_FIELDS: Mapping[int, Callable[[Buffer, Field], Any]] = {
    1: text,
    2: _float,
    3: _number,
    4: _bytes,
    5: _tensor,
    7: _floats,
    8: _integers,
    9: _bytes,
    10: _tensor,
    20: _number,
}
