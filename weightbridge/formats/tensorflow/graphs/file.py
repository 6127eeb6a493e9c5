"""Frozen graphs of TensorFlow (GraphDef, .pb): read as layers with data flow. They are no targets."""

import mmap
from collections.abc import Iterable
from pathlib import Path

from weightbridge.errors import OutputError
from weightbridge.formats.opening import placed, readable
from weightbridge.formats.tensorflow.graphs.read import Traced, flow, traced
from weightbridge.formats.wire import Buffer, Span
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor

FORMAT = "tf-graph"


def read(path: Path) -> LayerGraph:
    """The layers of what the graph computes from its placeholders. Raises a ModelError."""
    trace, _ = opened(path)
    return flow(path, FORMAT, trace)


def opened(path: Path) -> tuple[Traced, Buffer]:
    """What was traced, and the bytes that the loaders of its tensors keep open. Raises a ModelError."""
    with readable(path), placed(path, "Copy it, or freeze the model again"), path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return traced(path, data, Span(0, len(data)), (), {}), data


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Array]]) -> None:
    """Frozen graphs are read only."""
    fix = "Choose an OUTPUT that ends with .safetensors, or a Keras model as the target"
    raise OutputError("frozen graphs are read only", where=template.path, fix=fix)
