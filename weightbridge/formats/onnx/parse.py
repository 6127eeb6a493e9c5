"""ONNX's messages read from bytes; the bytes of tensors are only located."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from weightbridge.errors import Corrupt, ResourceBomb
from weightbridge.formats.crowds import refuse_crowd
from weightbridge.formats.onnx.messages import as_span, collect, last, number_of
from weightbridge.formats.onnx.proto import TYPED_DATA, Graph, Model, Node, TensorHeader, ValueInfo
from weightbridge.formats.onnx.value_infos import value_info
from weightbridge.formats.wire import (
    FIXED32,
    Buffer,
    Field,
    Span,
    fields,
    floats,
    integers,
    span_of,
    text,
)

MAX_DEPTH = 30  # graphs inside graphs; protobuf itself stops at 100 messages, three per graph
LONGEST_TEXT = 4096  # bytes of an attribute that are shown
HIGHEST_RANK = 64


def parse_model(data: Buffer) -> Model:
    """The model in a buffer. Raises Corrupt or ResourceBomb."""
    whole = Span(0, len(data))
    found = collect(data, whole, MODEL_FIELDS)
    if len(found[7]) != 1:
        raise Corrupt(f"an ONNX model with {len(found[7])} graphs, expected one")
    versions: dict[str, int] = {}
    for span in found[8]:
        opset = collect(data, span, {1: text, 2: number_of})
        versions[last(opset[1], "")] = last(opset[2], 0)
    name, version = last(found[2], ""), last(found[3], "")
    return Model(
        ir_version=last(found[1], 0),
        producer=" ".join(part for part in (name, version) if part),
        opsets=MappingProxyType(versions),
        graph=parse_graph(data, found[7][0], MAX_DEPTH),
        functions=tuple(_function(data, function, versions) for function in found[25]),
        training=tuple(
            parse_graph(data, graph, MAX_DEPTH)
            for training in found[20]
            for graphs in collect(data, training, {1: as_span, 2: as_span}).values()
            for graph in graphs
        ),
    )


def _function(data: Buffer, span: Span, versions: Mapping[str, int]) -> Graph:
    """The nodes of a function that the file defines, by `domain::name`.

    Without inputs and outputs where it takes attributes, or uses operators of another version.
    """
    found = collect(
        data, span, {1: text, 4: text, 5: text, 6: as_span, 7: as_span, 9: as_span, 10: text, 11: as_span}
    )
    nodes = tuple(_node(data, node, MAX_DEPTH) for node in found[7])
    told = [collect(data, opset, {1: text, 2: number_of}) for opset in found[9]]
    is_plain = not (found[6] or found[11]) and all(
        versions.get(last(one[1], "")) == last(one[2], 0) for one in told
    )
    names = (found[4], found[5]) if is_plain else ((), ())
    inputs, outputs = (tuple(ValueInfo(name, 0, None) for name in group) for group in names)
    return Graph(f"{last(found[10], '')}::{last(found[1], '')}", nodes, (), inputs, outputs, ())


def parse_graph(data: Buffer, span: Span, depth: int) -> Graph:
    if depth <= 0:
        raise ResourceBomb(f"byte {span.start}: graphs nested more than {MAX_DEPTH} deep")
    found = collect(data, span, GRAPH_FIELDS)
    refuse_crowd(len(found[1]), "nodes")
    inputs, outputs, others = (
        tuple(value_info(data, info) for info in found[number]) for number in (11, 12, 13)
    )
    return Graph(
        name=last(found[2], ""),
        nodes=tuple(_node(data, node, depth) for node in found[1]),
        initializers=tuple(parse_tensor(data, tensor) for tensor in found[5]),
        inputs=inputs,
        outputs=outputs,
        value_infos=others,
        sparse=len(found[15]),
    )


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
                pair = collect(data, span_of(field), {1: text, 2: text})
                external[last(pair[1], "")] = last(pair[2], "")
            case 14:
                location = field.value
            case number if number in TYPED_DATA:
                typed.append(field)
    if len(dims) > HIGHEST_RANK or any(d < 0 for d in dims):
        raise Corrupt(f"byte {span.start}: tensor {name!r} has the shape {dims[:8]}")
    is_external = location == 1
    return TensorHeader(
        name=name,
        dims=tuple(dims),
        elem_type=elem_type,
        span=span,
        raw=raw,
        typed=tuple(typed),
        external=MappingProxyType(external) if is_external else None,
    )


def _node(data: Buffer, span: Span, depth: int) -> Node:
    found = collect(data, span, {1: text, 2: text, 3: text, 4: text, 5: as_span, 7: text})
    attributes = dict(_attribute(data, s, depth) for s in found[5])
    domain = last(found[7], "")
    return Node(
        name=last(found[3], ""),
        op=last(found[4], ""),
        domain="" if domain == "ai.onnx" else domain,
        inputs=tuple(found[1]),
        outputs=tuple(found[2]),
        attributes=MappingProxyType(attributes),
    )


def _attribute(data: Buffer, span: Span, depth: int) -> tuple[str, Any]:
    def graph(buffer: Buffer, field: Field) -> Graph:
        return parse_graph(buffer, span_of(field), depth - 1)

    found = collect(data, span, {**ATTRIBUTE_FIELDS, 6: graph, 11: graph})
    name = last(found[1], "")
    kind = last(found[20], 0) or _present_kind(found)
    values = found[KINDS[kind]] if kind in KINDS else []
    if kind in REPEATED:
        return name, tuple(_flat(values))
    return name, last(values, ABSENT.get(kind))


def _present_kind(found: Mapping[int, list[Any]]) -> int:
    """Old files leave the type out: that of whatever is there."""
    return next((kind for kind, number in KINDS.items() if found[number]), 0)


def _flat(values: list[Any]) -> list[Any]:
    """Packed numbers come as lists, others one by one."""
    flat: list[Any] = []
    for value in values:
        flat += value if isinstance(value, list) else [value]
    return flat


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
    end = min(span.end, span.start + LONGEST_TEXT)
    return bytes(data[span.start : end]).decode(errors="replace")


# AttributeProto.type -> its field
KINDS: Mapping[int, int] = {1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11}
ABSENT: Mapping[int, Any] = {1: 0.0, 2: 0, 3: ""}  # by type: the value of an attribute that leaves it out
MODEL_FIELDS: Mapping[int, Callable[[Buffer, Field], Any]] = {
    1: number_of,
    2: text,
    3: text,
    7: as_span,
    8: as_span,
    20: as_span,
    25: as_span,
}
GRAPH_FIELDS: Mapping[int, Callable[[Buffer, Field], Any]] = {
    1: as_span,
    2: text,
    5: as_span,
    11: as_span,
    12: as_span,
    13: as_span,
    15: as_span,
}
REPEATED = frozenset({6, 7, 8, 9, 10})
ATTRIBUTE_FIELDS: Mapping[int, Callable[[Buffer, Field], Any]] = {
    1: text,
    2: _float,
    3: number_of,
    4: _bytes,
    5: _tensor,
    7: _floats,
    8: _integers,
    9: _bytes,
    10: _tensor,
    20: number_of,
}
