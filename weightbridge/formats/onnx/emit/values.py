"""What an ONNX file is written from; nodes and values are those that reading one gives."""

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node, ValueInfo
from weightbridge.formats.onnx.tensors import DTYPES
from weightbridge.model.tensors import Array

ELEMENT_TYPES = {dtype: number for number, dtype in DTYPES.items()} | {"string": 8}


@dataclass(frozen=True, slots=True, eq=False)
class Initializer:
    """A tensor of a graph. value: None where it is still to come, and zeros stand in its place."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    value: Array | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole graph. opset: the version of ONNX's operators."""

    name: str
    opset: int
    nodes: tuple[Node, ...]
    initializers: tuple[Initializer, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
