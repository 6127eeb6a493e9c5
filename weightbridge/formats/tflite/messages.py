"""TFLite's messages as values: models, subgraphs, operators, and tensors without their bytes."""

from collections.abc import Mapping
from dataclasses import dataclass

from weightbridge.formats.tflite.flatbuffer import Table
from weightbridge.formats.wire import Span

TYPES: Mapping[int, int] = {  # TensorType -> the same of ONNX's TensorProto
    0: 1,
    1: 10,
    2: 6,
    3: 2,
    4: 7,
    5: 8,
    6: 9,
    7: 5,
    8: 14,
    9: 3,
    10: 11,
    11: 15,
    12: 13,
    15: 12,
    16: 4,
    17: 22,
    18: 16,
    19: 26,
    20: 21,
}
UNDEFINED = 0


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Floats are (value - zero point) x scale. scale: float32s; zero_point: int64s; axis: theirs."""

    scale: Span
    zero_point: Span
    axis: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of a subgraph. shape: with the batch axis, None for a length that may be any.

    buffer: where its bytes are, None where it is computed or given. elem_type: as ONNX counts them.
    """

    name: str
    shape: tuple[int | None, ...] | None
    elem_type: int
    buffer: Span | None
    quantisation: Quantisation | None
    is_variable: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """op: the operator's name, or that of a custom one. inputs, outputs: tensors, -1 for one left out."""

    op: str
    is_custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True, slots=True)
class Subgraph:
    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A way to call the model: its name, and the subgraph that it runs."""

    name: str
    subgraph: int


@dataclass(frozen=True, slots=True)
class Model:
    version: int
    description: str
    runtime: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
