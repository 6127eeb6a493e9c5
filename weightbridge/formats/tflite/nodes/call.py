"""Call: one operator with its values by name, and the nodes of ONNX that say the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.tflite.flatbuffer import Table
from weightbridge.formats.tflite.messages import Operator, Tensor
from weightbridge.model.tensors import Array

Shape = tuple[int | None, ...]
RELU, RELU_N1_TO_1, RELU6, TANH, SIGN_BIT = 1, 2, 3, 4, 5
FUSED: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    RELU: ("Relu", {}),
    RELU_N1_TO_1: ("Clip", {"min": -1.0, "max": 1.0}),
    RELU6: ("Clip", {"min": 0.0, "max": 6.0}),
    TANH: ("Tanh", {}),
    SIGN_BIT: ("SIGN_BIT", {}),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One operator. inputs, outputs: the names of its values, "" for one that is left out.

    numbers: gives the values of a small constant by its name, None for any other value.
    """

    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    numbers: Callable[[str], Array | None]

    @property
    def options(self) -> Table | None:
        return self.operator.options

    @property
    def output(self) -> str:
        return self.outputs[0]

    def value(self, place: int) -> str:
        """An input's name, "" where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def shape(self, value: str) -> Shape | None:
        tensor = self.tensors.get(value)
        return None if tensor is None else tensor.shape

    def rank(self, value: str) -> int | None:
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def is_constant(self, value: str) -> bool:
        tensor = self.tensors.get(value)
        return tensor is not None and tensor.buffer is not None

    def integers(self, place: int) -> tuple[int, ...] | None:
        """The numbers of a small constant input, flat."""
        array = self.numbers(self.value(place)) if self.value(place) else None
        return None if array is None else tuple(int(n) for n in array.reshape(-1))

    def byte(self, field: int) -> int:
        return self.options.byte(field) if self.options else 0

    def integer(self, field: int, default: int = 0) -> int:
        return self.options.integer(field, default) if self.options else default

    def flag(self, field: int) -> bool:
        return self.options.flag(field) if self.options else False

    def decimal(self, field: int, default: float = 0.0) -> float:
        return self.options.decimal(field) if self.options else default

    def inner(self, label: str) -> str:
        """The name of a value that the file does not have."""
        return f"{self.output}{ADDED}{label}"

    def node(self, op: str, inputs: tuple[str, ...], output: str | None = None, **attributes: Any) -> Node:
        """A node of ONNX that gives this output, the operator's own where none is said."""
        return Node(self.output, op, "", inputs, (output or self.output,), attributes)

    def constant(self, label: str, numbers: tuple[int, ...]) -> Node:
        """A node that gives these numbers."""
        return Node("", "Constant", "", (), (self.inner(label),), {"value_ints": numbers})


Handler = Callable[[Call], list[Node] | None]  # None: what it says cannot be said by ONNX's operators


def plain(op: str, **attributes: Any) -> Handler:
    """The same operator under ONNX's name."""
    return lambda call: [call.node(op, call.inputs, **attributes)]


def activated(call: Call, code: int, nodes: Callable[[str], list[Node] | None]) -> list[Node] | None:
    """What `nodes` makes for the name of its output, and the activation that is fused to it."""
    if code == 0:
        return nodes(call.output)
    if code not in FUSED:
        return None
    op, attributes = FUSED[code]
    before = call.inner("linear")
    made = nodes(before)
    return None if made is None else [*made, call.node(op, (before,), **attributes)]
