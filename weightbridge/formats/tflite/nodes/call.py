"""Call: one operator with its values by name, and the nodes of ONNX that say the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.values import Shape, Values
from weightbridge.formats.tflite.flatbuffer import Table
from weightbridge.formats.tflite.messages import Operator, Tensor
from weightbridge.model.tensors import Array

RELU, RELU_N1_TO_1, RELU6, TANH, SIGN_BIT = 1, 2, 3, 4, 5
FUSED: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    RELU: ("Relu", {}),
    RELU_N1_TO_1: ("Clip", {"min": -1.0, "max": 1.0}),
    RELU6: ("Clip", {"min": 0.0, "max": 6.0}),
    TANH: ("Tanh", {}),
    SIGN_BIT: ("SIGN_BIT", {}),
}


@dataclass(frozen=True, slots=True)
class Call(Values):
    """One operator with the fields of its options, and the tensors that all values are."""

    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    numbers: Callable[[str], Array | None]

    @property
    def options(self) -> Table | None:
        return self.operator.options

    def shape(self, value: str) -> Shape | None:
        tensor = self.tensors.get(value)
        return None if tensor is None else tensor.shape

    def byte(self, field: int) -> int:
        return self.options.byte(field) if self.options else 0

    def integer(self, field: int, default: int = 0) -> int:
        return self.options.integer(field, default) if self.options else default

    def flag(self, field: int) -> bool:
        return self.options.flag(field) if self.options else False

    def decimal(self, field: int, default: float = 0.0) -> float:
        return self.options.decimal(field) if self.options else default


Handler = Callable[[Call], list[Node] | None]  # None: what it says cannot be said by ONNX's operators


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
