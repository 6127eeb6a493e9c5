"""ONNX's messages as values: models, graphs, nodes, attributes, and tensors without their bytes."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.wire import Field, Span

# TensorProto's fields of data
FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, RAW_DATA, DOUBLE_DATA, UINT64_DATA = 4, 5, 6, 7, 9, 10, 11
TYPED_DATA = (FLOAT_DATA, INT32_DATA, STRING_DATA, INT64_DATA, DOUBLE_DATA, UINT64_DATA)

# An attribute that no file of ONNX has: TensorFlow's operators, written as ONNX's, have their channels last.
CHANNELS_LAST = "\0channels_last"
# The same: what a recurrent node says whose weights are as Keras has them (formats/onnx/cells/told).
PER_ITEM = "\0per item"  # an attribute that the file does not have: the input whose batch a value has
TOLD = "\0told"


@dataclass(frozen=True, slots=True, eq=False)
class TensorHeader:
    """A tensor without its bytes.

    span: the whole message. raw: its raw_data. typed: its typed fields. external: its file.
    rows: for a run of rows of a tensor, the first of them and how many the whole one has (`dims`: the run's).
    scaling: how floats are made. joined: the tensors that it is put together of, along one of its axes.
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
    joined: "Joined | None" = None

    @property
    def whole(self) -> "TensorHeader":
        """The tensor that this is a run of, or itself."""
        if self.rows is None:
            return self
        _, count = self.rows
        return replace(self, dims=(count, *self.dims[1:]), rows=None)

    @property
    def skipped(self) -> int:
        """Elements before this run in the whole tensor."""
        if self.rows is None:
            return 0
        first, _ = self.rows
        return first * prod(self.dims[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """What a file stores apart and a layer has as one tensor: the gates of a cell."""

    tensors: tuple[TensorHeader, ...]
    axis: int


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """(value - zero) x scale x factor, with one scale, or one for each index along an axis.

    factor: a single value, None for 1. block: how many places along the axis have one scale, 0 for one each.
    """

    scale: TensorHeader
    zero: TensorHeader | None
    axis: int
    factor: TensorHeader | None = None
    block: int = 0

    @property
    def tensors(self) -> "tuple[TensorHeader, ...]":
        return tuple(t for t in (self.scale, self.zero, self.factor) if t is not None)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation. Attribute values are int, float, str, tuples of these, TensorHeader or Graph."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def has_channels_last(self) -> bool:
        """Whether the data's channels are the last axis; ONNX's own operators have them second."""
        return CHANNELS_LAST in self.attributes

    @property
    def data_format(self) -> str:
        return "channels_last" if self.has_channels_last else "channels_first"


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
    """functions: what the file defines beside its graph. training: graphs that only training runs."""

    ir_version: int
    producer: str
    opsets: Mapping[str, int]
    graph: Graph
    functions: tuple[Graph, ...] = ()
    training: tuple[Graph, ...] = ()
