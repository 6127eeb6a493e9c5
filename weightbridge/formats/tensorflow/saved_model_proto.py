"""A SavedModel's messages as values; functions are only skipped.

saved_model.proto, meta_graph.proto, saved_object_graph.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from weightbridge.errors import Corrupt
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


def parse_saved_model(data: Buffer) -> MetaGraph:
    """The model for serving, or the first. Raises Corrupt."""
    spans = [span_of(f) for f in fields(data, Span(0, len(data))) if f.number == 2]
    if not spans:
        raise Corrupt("a SavedModel without a graph")
    found = [(_information(data, span), span) for span in spans]
    (tags, version), span = next((one for one in found if SERVE in one[0][0]), found[0])
    parts = {f.number: span_of(f) for f in fields(data, span) if f.number in (2, 7)}
    return MetaGraph(tags, version, _objects(data, parts[7]) if 7 in parts else (), parts.get(2))


def parse_keras_metadata(data: Buffer) -> Mapping[int, str]:
    """An object's number -> its metadata (saved_metadata.proto), from Keras 2.5's own file."""
    found = {}
    for field in fields(data, Span(0, len(data))):
        if field.number == 1:
            parts = {f.number: f for f in fields(data, span_of(field))}
            found[parts[2].value if 2 in parts else 0] = text(data, parts[5]) if 5 in parts else ""
    return found


def _information(data: Buffer, span: Span) -> tuple[tuple[str, ...], str]:
    tags, version = [], ""
    for field in fields(data, span):
        if field.number == 1:
            for inner in fields(data, span_of(field)):
                if inner.number == 4:
                    tags.append(text(data, inner))
                elif inner.number == 5:
                    version = text(data, inner)
    return tuple(tags), version


def _objects(data: Buffer, span: Span) -> tuple[Tracked, ...]:
    nodes = tuple(_object(data, span_of(f)) for f in fields(data, span) if f.number == 1)
    check_children(nodes)
    return nodes


def _object(data: Buffer, span: Span) -> Tracked:
    if span.start == span.end:
        return EMPTY
    children, has_slots = [], False
    user: dict[int, str] = {}
    variable: dict[int, Field] | None = None
    for field in fields(data, span):
        if field.number == 1:
            children.append(parse_child(data, span_of(field)))
        elif field.number == 3:
            has_slots = True
        elif field.number == 4:
            user = {f.number: text(data, f) for f in fields(data, span_of(field)) if f.number in (1, 3)}
        elif field.number == 7:
            variable = {f.number: f for f in fields(data, span_of(field))}
    name = text(data, variable[6]) if variable and 6 in variable else ""
    return Tracked(
        children=tuple(children),
        is_optimizer=has_slots or looks_like_optimizer(children) or user.get(1) == "optimizer",
        full_name=name,
        is_variable=variable is not None,
        identifier=user.get(1, ""),
        metadata=user.get(3, ""),
        trainable=variable is None or bool(variable[3].value if 3 in variable else 0),
    )
