"""Values: an operation of TensorFlow or TFLite with its values by name, and nodes of ONNX for it."""

from collections.abc import Callable
from typing import Any

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.model.tensors import Array

Shape = tuple[int | None, ...]


class Values:
    """One operation with its values by name; "" for one that is left out.

    numbers: gives the values of a small constant by its name, None for any other value.
    """

    __slots__ = ()
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Callable[[str], Array | None]

    def shape(self, value: str) -> Shape | None:
        raise NotImplementedError

    @property
    def output(self) -> str:
        return self.outputs[0]

    def value(self, place: int) -> str:
        """An input's name, "" where it is left out."""
        return self.inputs[place] if -len(self.inputs) <= place < len(self.inputs) else ""

    def rank(self, value: str) -> int | None:
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def integers(self, place: int) -> tuple[int, ...] | None:
        """The numbers of a small constant input, flat."""
        array = self.numbers(self.value(place)) if self.value(place) else None
        return None if array is None else tuple(int(n) for n in array.reshape(-1))

    def inner(self, label: str) -> str:
        """The name of a value that the file does not have."""
        return f"{self.output}{ADDED}{label}"

    def node(self, op: str, inputs: tuple[str, ...], output: str | None = None, **attributes: Any) -> Node:
        """A node of ONNX that gives this output, the operation's own where none is said."""
        return Node(self.output, op, "", inputs, (output or self.output,), attributes)

    def constant(self, label: str, numbers: tuple[int, ...]) -> Node:
        """A node that gives these numbers."""
        return Node("", "Constant", "", (), (self.inner(label),), {"value_ints": numbers})

    def turned(self, label: str, value: str, order: tuple[int, ...]) -> Node:
        """A node that turns a value's axes."""
        return Node("", "Transpose", "", (value,), (self.inner(label),), {"perm": order})
