"""A graph in ONNX's operators, and what is asked of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from weightbridge.formats.onnx.proto import Graph
from weightbridge.formats.tensorflow.graphs.messages import Operation
from weightbridge.formats.wire import Span
from weightbridge.model.tensors import Array

Load = Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Sides:
    """What users call the inputs and outputs, and the values."""

    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Lowered:
    """graph: in ONNX's operators. loads: what reads each tensor, by where it stands in its file.

    operations: those that the outputs need. values: by the graph's names, TensorFlow's own.
    """

    graph: Graph
    loads: Mapping[Span, Load]
    operations: tuple[Operation, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
