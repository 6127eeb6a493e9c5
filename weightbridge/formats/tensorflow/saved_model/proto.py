"""A SavedModel's messages as values; functions are only skipped.

saved_model.proto, meta_graph.proto, saved_object_graph.proto.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from weightbridge.errors import Corrupt
from weightbridge.formats.tensorflow.graphs.messages import Signature, parse_signature
from weightbridge.formats.tensorflow.tracked import (
    EMPTY,
    Tracked,
    check_children,
    looks_like_optimizer,
    parse_child,
)
from weightbridge.formats.wire import Buffer, Field, Span, fields, span_of, text

SERVE = "serve"


@dataclass(frozen=True, slots=True)
class MetaGraph:
    """One model of a SavedModel: its tags, TensorFlow's version, its objects, its operations.

    TensorFlow 1 has no objects.
    """

    tags: tuple[str, ...]
    version: str
    objects: tuple[Tracked, ...]
    graph: Span | None
    signatures: tuple[Signature, ...] = ()


def parse_saved_model(data: Buffer) -> MetaGraph:
    """The model for serving, or the first. Raises Corrupt."""
    spans = [span_of(f) for f in fields(data, Span(0, len(data))) if f.number == 2]
    if not spans:
        raise Corrupt("a SavedModel without a graph")
    graphs = [(_information(data, span), span) for span in spans]
    for_serving = (graph for graph in graphs if SERVE in graph[0].tags)
    information, span = next(for_serving, graphs[0])
    return _meta_graph(data, span, information)


def _meta_graph(data: Buffer, span: Span, information: "Information") -> MetaGraph:
    parts = {f.number: span_of(f) for f in fields(data, span) if f.number in (2, 7)}
    objects = _objects(data, parts[7]) if 7 in parts else ()
    signatures = tuple(parse_signature(data, span_of(f)) for f in fields(data, span) if f.number == 5)
    return MetaGraph(information.tags, information.version, objects, parts.get(2), signatures)


def parse_keras_metadata(data: Buffer) -> Mapping[int, str]:
    """An object's number -> its metadata (saved_metadata.proto), from Keras 2.5's own file."""
    metadata = {}
    for field in fields(data, Span(0, len(data))):
        if field.number == 1:
            number, text_of_node = _metadata(data, span_of(field))
            metadata[number] = text_of_node
    return metadata


def _metadata(data: Buffer, span: Span) -> tuple[int, str]:
    parts = {field.number: field for field in fields(data, span)}
    number = parts[2].value if 2 in parts else 0
    metadata = text(data, parts[5]) if 5 in parts else ""
    return number, metadata


class Information(NamedTuple):
    """A MetaInfoDef: what a graph is for, and TensorFlow's version."""

    tags: tuple[str, ...]
    version: str


def _information(data: Buffer, span: Span) -> Information:
    spans = [span_of(field) for field in fields(data, span) if field.number == 1]
    parts = [field for inner in spans for field in fields(data, inner)]
    tags = tuple(text(data, field) for field in parts if field.number == 4)
    versions = [text(data, field) for field in parts if field.number == 5]
    return Information(tags, versions[-1] if versions else "")


def _objects(data: Buffer, span: Span) -> tuple[Tracked, ...]:
    nodes = tuple(_object(data, span_of(f)) for f in fields(data, span) if f.number == 1)
    check_children(nodes)
    return nodes


def _object(data: Buffer, span: Span) -> Tracked:
    if span.start == span.end:
        return EMPTY
    parts: dict[int, list[Field]] = {}
    for field in fields(data, span):
        parts.setdefault(field.number, []).append(field)
    children = tuple(parse_child(data, span_of(field)) for field in parts.get(1, ()))
    user = _user_object(data, parts.get(4, ()))
    variable = _variable(data, parts.get(7, ()))
    is_optimizer = 3 in parts or looks_like_optimizer(children) or user.get(1) == "optimizer"
    return Tracked(
        children=children,
        is_optimizer=is_optimizer,
        full_name=text(data, variable[6]) if 6 in variable else "",
        is_variable=7 in parts,
        identifier=user.get(1, ""),
        metadata=user.get(3, ""),
        trainable=7 not in parts or (3 in variable and bool(variable[3].value)),
    )


def _user_object(data: Buffer, stored: Sequence[Field]) -> dict[int, str]:
    """A SavedUserObject: 1 is its identifier, 3 its metadata."""
    if not stored:
        return {}
    inside = fields(data, span_of(stored[-1]))
    return {field.number: text(data, field) for field in inside if field.number in (1, 3)}


def _variable(data: Buffer, stored: Sequence[Field]) -> dict[int, Field]:
    """A SavedVariable: 3 says whether it is trainable, 6 is its name."""
    if not stored:
        return {}
    return {field.number: field for field in fields(data, span_of(stored[-1]))}
