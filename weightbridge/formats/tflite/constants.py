"""The constants of a subgraph as tensors of ONNX: where their bytes are, and how floats are made of codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from weightbridge.errors import Corrupt
from weightbridge.formats.onnx.ledger import WEIGHTS
from weightbridge.formats.onnx.proto import Node, Scaling, TensorHeader
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.onnx.values.constants import Read
from weightbridge.formats.onnx.values.evaluate import is_small
from weightbridge.formats.tflite.messages import Quantisation, Subgraph, Tensor
from weightbridge.formats.wire import Span
from weightbridge.model.tensors import Array

FLOAT32, INT64 = 1, 7  # as ONNX counts element types
CODES = frozenset({2, 3, 4, 5, 6, 7, 21, 22})  # integers: of weights, and of biases in their scale
NOTHING = Span(0, 0)
LONGEST = 1 << 16  # elements of a vector that is looked at


@dataclass(frozen=True, slots=True)
class Constants:
    """headers: each tensor once. nodes: what gives the values that lie in the same bytes as another one.

    by_value: the tensor of each value that is a constant.
    """

    headers: tuple[TensorHeader, ...]
    nodes: tuple[Node, ...]
    by_value: Mapping[str, TensorHeader]
    read: Read

    def numbers(self, value: str) -> Array | None:
        """The values of a small constant, None for any other value."""
        header = self.by_value.get(value)
        return self.read(header) if header is not None and is_small(header) else None

    def are_zeros(self, value: str) -> bool:
        """Whether a vector of moderate length holds zeros alone."""
        header = self.by_value.get(value)
        if header is None or len(header.dims) != 1 or header.dims[0] > LONGEST:
            return False
        return not self.read(header).any()


def constants_of(subgraph: Subgraph, names: Sequence[str], read: Read) -> Constants:
    made = {number for operator in subgraph.operators for number in operator.outputs} | {*subgraph.inputs}
    by_value: dict[str, TensorHeader] = {}
    first: dict[tuple[object, ...], TensorHeader] = {}
    nodes: list[Node] = []
    for number, tensor in enumerate(subgraph.tensors):
        span = _bytes(tensor)
        if number in made or span is None:
            continue
        header = _header(names[number], tensor, span)
        same = first.setdefault((span, tensor.elem_type, tensor.quantisation), header)
        by_value[header.name] = same
        if same is not header:
            nodes += _seen_as(same, header)
    return Constants(tuple(first.values()), tuple(nodes), by_value, read)


def _seen_as(stored: TensorHeader, header: TensorHeader) -> list[Node]:
    """What gives a tensor that lies in the bytes of another one."""
    if stored.dims == header.dims:
        return [Node("", "Identity", "", (stored.name,), (header.name,), {})]
    shape = f"{header.name}{ADDED}shape"
    return [
        Node("", "Constant", "", (), (shape,), {"value_ints": header.dims}),
        Node("", "Reshape", "", (stored.name, shape), (header.name,), {}),
    ]


def _bytes(tensor: Tensor) -> Span | None:
    """Where the bytes of a constant are; None for any other value. One without numbers needs no bytes."""
    is_empty = tensor.shape is not None and 0 in tensor.shape
    return NOTHING if tensor.buffer is None and is_empty else tensor.buffer


def _header(name: str, tensor: Tensor, span: Span) -> TensorHeader:
    dims = tuple(n for n in tensor.shape or () if n is not None)
    if len(dims) != len(tensor.shape or ()):
        raise Corrupt("a constant without a shape", where=name)
    scaling = None
    if tensor.quantisation is not None and tensor.elem_type in CODES:
        scaling = _scaling(name, dims, tensor.quantisation)
    return TensorHeader(name, dims, tensor.elem_type, span, span, scaling=scaling)


def _scaling(name: str, dims: tuple[int, ...], told: Quantisation) -> Scaling | None:
    """One scale for all codes, or one for each place along an axis; None where it fits neither."""
    count = (told.scale.end - told.scale.start) // 4
    axis = told.axis if 0 <= told.axis < len(dims) else 0
    if count != 1 and (not dims or dims[axis] != count):
        return None
    zeros = (told.zero_point.end - told.zero_point.start) // 8
    if zeros not in (0, 1, count):
        return None
    scale = TensorHeader(f"{name}/scale", (count,), FLOAT32, told.scale, told.scale)
    zero_point = TensorHeader(f"{name}/zero_point", (zeros,), INT64, told.zero_point, told.zero_point)
    return Scaling(scale, zero_point if zeros else None, axis)


def is_unscaled(tensor: Tensor) -> bool:
    """Whether a tensor says that it is quantised, and not how floats are made of its codes."""
    if tensor.quantisation is None or tensor.buffer is None or tensor.elem_type not in CODES:
        return False
    header = _header(tensor.name, tensor, tensor.buffer)
    return header.scaling is None and prod(header.dims) > 1


def is_weight(header: TensorHeader) -> bool:
    """Whether a tensor holds several floats, or codes of floats."""
    return prod(header.dims) > 1 and (header.elem_type in WEIGHTS or header.scaling is not None)
