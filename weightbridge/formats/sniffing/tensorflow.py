"""Graphs of TensorFlow: frozen ones are models, those of checkpoints and text forms are none."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from weightbridge.errors import Corrupt, Unsupported
from weightbridge.formats.wire import LENGTH, Buffer, Span, fields, span_of, text

NODE, LIBRARY, VERSION, VERSIONS = 1, 2, 3, 4  # fields of a GraphDef
NAME, OPERATION = 1, 2  # fields of a node
GRAPH = 2  # field of a MetaGraphDef
MOST = 20  # nodes that are looked at
OPERATIONS = re.compile(r"_?[A-Z][A-Za-z0-9_>]*$")
TEXTS = (b"node {", b"node{", b"meta_info_def {", b"graph_def {", b"saved_model_schema_version")


def is_frozen_graph(data: Buffer) -> bool:
    """Whether a file is a GraphDef."""
    return _is_graph(data, Span(0, len(data)))


def tensorflow_graph(path: Path, data: Buffer) -> Unsupported | None:
    """The error for a graph as text, or a MetaGraphDef; None for any other file."""
    start = bytes(data[:4096]).lstrip()
    if start.startswith(TEXTS):
        return Unsupported(
            "a TensorFlow graph as text (.pbtxt)",
            where=str(path),
            fix="Give the SavedModel folder, or the checkpoint's .index file",
        )
    whole = Span(0, len(data))
    if _holds_graph(data, whole):
        return _graph_of_checkpoint(path)
    return None


def _graph_of_checkpoint(path: Path) -> Unsupported:
    index = path.with_suffix(".index")
    fix = (
        f"Give {index.name}" if index.is_file() else "Give the checkpoint's .index file, with its .data files"
    )
    message = "the graph of a TensorFlow 1 checkpoint (MetaGraphDef), which holds no weights"
    return Unsupported(message, where=str(path), fix=fix)


def _is_graph(data: Buffer, span: Span) -> bool:
    """Whether a message has nodes with a name and an operation, and nothing that a GraphDef does not have."""
    seen = 0
    try:
        for field in fields(data, span):
            if field.number == NODE and field.wire == LENGTH:
                if seen < MOST and not _is_node(data, span_of(field)):
                    return False
                seen += 1
            elif field.number not in (LIBRARY, VERSION, VERSIONS):
                return False
    except Corrupt:  # cut off: what was seen counts
        return seen > 0
    return seen > 0


def _is_node(data: Buffer, span: Span) -> bool:
    texts = {
        field.number: text(data, field) for field in fields(data, span) if field.number in (NAME, OPERATION)
    }
    return bool(texts.get(NAME)) and OPERATIONS.match(texts.get(OPERATION, "")) is not None


def _holds_graph(data: Buffer, span: Span) -> bool:
    """Whether a message has a field 2 that is a GraphDef, and no field that a MetaGraphDef does not have."""
    try:
        return any(_is_graph(data, inner) for inner in _messages(data, span, range(1, 8)))
    except Corrupt:
        return False


def _messages(data: Buffer, span: Span, known: Collection[int]) -> Iterator[Span]:
    """The messages in field 2. Raises Corrupt for a field that is not known."""
    for field in fields(data, span):
        if field.number not in known or field.wire != LENGTH:
            raise Corrupt("no MetaGraphDef")
        if field.number == GRAPH:
            yield span_of(field)
