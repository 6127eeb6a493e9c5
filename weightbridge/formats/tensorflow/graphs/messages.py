"""GraphDef's messages as values: operations, functions, signatures.

graph.proto, function.proto, meta_graph.proto.

Attributes are read when they are asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weightbridge.errors import Corrupt
from weightbridge.formats.crowds import refuse_crowd
from weightbridge.formats.wire import (
    LENGTH,
    Buffer,
    Span,
    fields,
    floats,
    integers,
    signed,
    span_of,
    text,
)

CONTROL = "^"  # before the name of an input that only has to run first
FUNCTIONS, UNKNOWN_RANK = 2, 3  # fields of a graph, of a shape
LIST, TEXT, INTEGER, DECIMAL, FLAG, TYPE, SHAPE, TENSOR, FUNCTION = 1, 2, 3, 4, 5, 6, 7, 8, 10
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that the file has in pieces. functions: by what they are for. types: of what it carries."""

    functions: Mapping[str, str]
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """inputs: data alone. attributes: where the value of each lies. controls: what has to run before.

    loop: of one that was put together.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Span] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    loop: Loop | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """arguments: names. results: of each output the value inside, in order."""

    name: str
    arguments: tuple[str, ...]
    results: tuple[str, ...]
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class GraphDef:
    operations: tuple[Operation, ...]
    functions: Mapping[str, Function]


@dataclass(frozen=True, slots=True)
class Signature:
    """inputs, outputs: what users call a value, and the value."""

    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


def parse_graph(data: Buffer, span: Span) -> GraphDef:
    """Raises Corrupt."""
    parts = list(fields(data, span))
    nodes = [span_of(part) for part in parts if part.number == 1]
    refuse_crowd(len(nodes), "operations")
    operations = tuple(parse_operation(data, node) for node in nodes)
    libraries = [span_of(part) for part in parts if part.number == FUNCTIONS]
    stored = [part for library in libraries for part in fields(data, library) if part.number == 1]
    functions = [_function(data, span_of(part)) for part in stored]
    return GraphDef(operations, {function.name: function for function in functions})


def parse_operation(data: Buffer, span: Span) -> Operation:
    """A NodeDef. Raises Corrupt."""
    name, op = "", ""
    inputs: list[str] = []
    attributes: dict[str, Span] = {}
    for part in fields(data, span):
        if part.number == 1:
            name = text(data, part)
        elif part.number == 2:
            op = text(data, part)
        elif part.number == 3:
            inputs.append(text(data, part))
        elif part.number == 5:
            attributes |= _entry(data, span_of(part))
    data_inputs = tuple(i for i in inputs if not i.startswith(CONTROL))
    controls = tuple(i.removeprefix(CONTROL) for i in inputs if i.startswith(CONTROL))
    return Operation(name, op, data_inputs, attributes, controls)


def parse_signature(data: Buffer, span: Span) -> Signature:
    """An entry of a MetaGraphDef's map of signatures."""
    pair = {part.number: part for part in fields(data, span)}
    name = text(data, pair[1]) if 1 in pair else ""
    sides: dict[int, list[tuple[str, str]]] = {1: [], 2: []}
    for part in fields(data, span_of(pair[2])) if 2 in pair else ():
        if part.number in sides:
            sides[part.number].append(_named_value(data, span_of(part)))
    return Signature(name, tuple(sorted(sides[1])), tuple(sorted(sides[2])))


def _named_value(data: Buffer, span: Span) -> tuple[str, str]:
    pair = {part.number: part for part in fields(data, span)}
    value = _name(data, span_of(pair[2])) if 2 in pair else ""
    return text(data, pair[1]) if 1 in pair else "", value


def _entry(data: Buffer, span: Span) -> dict[str, Span]:
    pair = {part.number: part for part in fields(data, span)}
    return {text(data, pair[1]): span_of(pair[2])} if 1 in pair and 2 in pair else {}


def _function(data: Buffer, span: Span) -> Function:
    parts = list(fields(data, span))
    declared = next((span_of(part) for part in parts if part.number == 1), None)
    if declared is None:
        raise Corrupt("a function without a name")
    name, arguments, outputs = _declared(data, declared)
    results = dict(_texts(data, span_of(part)) for part in parts if part.number == 4)
    if not results.keys() >= set(outputs):
        raise Corrupt(f"function {name!r} does not say what it returns")
    operations = tuple(parse_operation(data, span_of(part)) for part in parts if part.number == 3)
    return Function(name, arguments, tuple(results[o] for o in outputs), operations)


def _texts(data: Buffer, span: Span) -> tuple[str, str]:
    """An entry of a map from text to text."""
    pair = {part.number: text(data, part) for part in fields(data, span) if part.number in (1, 2)}
    return pair.get(1, ""), pair.get(2, "")


def _declared(data: Buffer, span: Span) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A function's name, the names of its arguments and of its outputs."""
    parts = list(fields(data, span))
    sides = [tuple(_name(data, span_of(p)) for p in parts if p.number == number) for number in (2, 3)]
    return _name(data, span), sides[0], sides[1]


def _name(data: Buffer, span: Span) -> str:
    """The first field of a message."""
    names = [text(data, part) for part in fields(data, span) if part.number == 1]
    return names[-1] if names else ""


def constant_span(data: Buffer, operation: Operation) -> Span | None:
    """Where the tensor of a constant lies; None for any other operation."""
    return Attributes(data, operation.attributes).span("value", TENSOR) if operation.op == "Const" else None


def function_run(data: Buffer, operation: Operation, role: str) -> str:
    """The name of the function that a loop runs."""
    if operation.loop is not None:
        return operation.loop.functions[role]
    return Attributes(data, operation.attributes).function(role)


class Attributes:
    """The attributes of one operation, read when they are asked for."""

    __slots__ = ("data", "spans")

    def __init__(self, data: Buffer, spans: Mapping[str, Span]) -> None:
        self.data, self.spans = data, spans

    def span(self, name: str, kind: int) -> Span | None:
        """Where a message lies: a tensor, a shape, a list."""
        for part in self._parts(name):
            if part.number == kind and part.wire == LENGTH:
                return span_of(part)
        return None

    def integer(self, name: str, default: int = 0) -> int:
        kinds = (INTEGER, FLAG, TYPE)
        numbers = [signed(part.value) for part in self._parts(name) if part.number in kinds]
        return numbers[-1] if numbers else default

    def decimal(self, name: str, default: float = 0.0) -> float:
        numbers = [floats(self.data, part) for part in self._parts(name) if part.number == DECIMAL]
        return float(numbers[-1][0]) if numbers else default

    def text(self, name: str, default: str = "") -> str:
        texts = [text(self.data, part) for part in self._parts(name) if part.number == TEXT]
        return texts[-1] if texts else default

    def function(self, name: str) -> str:
        span = self.span(name, FUNCTION)
        return _name(self.data, span) if span else ""

    def integers(self, name: str) -> tuple[int, ...]:
        """A list of integers."""
        span = self.span(name, LIST)
        parts = (
            [integers(self.data, p) for p in fields(self.data, span) if p.number == INTEGER] if span else []
        )
        return tuple(int(n) for n in np.concatenate(parts)) if parts else ()

    def shape(self, name: str) -> Shape | None:
        """A shape, or the first one of a list; None for one of unknown rank."""
        span = self.span(name, SHAPE)
        inside = self.span(name, LIST)
        if span is None and inside is not None:
            span = next((span_of(p) for p in fields(self.data, inside) if p.number == SHAPE), None)
        return None if span is None else _shape(self.data, span)

    def _parts(self, name: str) -> Iterator[Any]:
        span = self.spans.get(name)
        return iter(()) if span is None else fields(self.data, span)


def _shape(data: Buffer, span: Span) -> Shape | None:
    parts = list(fields(data, span))
    if any(part.number == UNKNOWN_RANK and part.value for part in parts):
        return None
    return tuple(_length(data, span_of(part)) for part in parts if part.number == 2)


def _length(data: Buffer, span: Span) -> int | None:
    sizes = [signed(part.value) for part in fields(data, span) if part.number == 1]
    size = sizes[-1] if sizes else 0
    return None if size < 0 else size
