"""The values of a conversion to ONNX: what flows through the graph, weights to come, and the whole."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.options import DEFAULT_OPSET, InputLayout
from weightbridge.boundary.records import dataclass
from weightbridge.converting.values import Weight
from weightbridge.formats.onnx.emit.values import Drawing
from weightbridge.model.graph import Shape

Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer gives, as it is in the graph.

    shape: Keras's, with the batch; None for an unknown length.
    order: which of Keras's axes each axis in the graph is: (0, 3, 1, 2) where channels come first.
    mask: the value of true and false that Keras hands on beside it.
    """

    name: str
    shape: Shape
    order: Order
    dtype: str = "float32"
    mask: "Value | None" = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def lengths(self) -> Shape:
        """The shape as the graph has it."""
        return tuple(self.shape[axis] for axis in self.order)

    def place(self, axis: int) -> int:
        """Where in the graph one of Keras's axes stands."""
        return self.order.index(axis % self.rank)

    def named(self, name: str, **changes: Any) -> "Value":
        return replace(self, name=name, **changes)


def straight(rank: int) -> Order:
    """As Keras has the axes."""
    return tuple(range(rank))


def channels_first(rank: int) -> Order:
    return (0, rank - 1, *range(1, rank - 1))


@dataclass(frozen=True, slots=True)
class Settings:
    """How the user wants the file."""

    opset: int = DEFAULT_OPSET
    input_layout: InputLayout = "nhwc"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The graph, and the weights in it that are still to come, by the names of their initializers."""

    drawing: Drawing
    weights: Mapping[str, Weight]
