"""Call: one operation of a graph with its values by name and its attributes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import CHANNELS_LAST, Node
from weightbridge.formats.tensorflow.graphs.messages import Attributes
from weightbridge.formats.tensorflow.values import Shape, Values
from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class Call(Values):
    """One operation with its attributes, and the shapes of all values that are known."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes
    shapes: Mapping[str, Shape]
    numbers: Callable[[str], Array | None]

    def shape(self, value: str) -> Shape | None:
        return self.shapes.get(value)

    @property
    def has_channels_last(self) -> bool:
        return not self.attributes.text("data_format", "NHWC").startswith("NC")

    @property
    def layout(self) -> dict[str, int]:
        """What a node says of where its channels are."""
        return {CHANNELS_LAST: 1} if self.has_channels_last else {}

    def spatial(self, name: str) -> tuple[int, ...]:
        """The numbers of the axes of space, of one for each axis; () where they are not given."""
        numbers = self.attributes.integers(name)
        if len(numbers) < 3:
            return ()
        return numbers[1:-1] if self.has_channels_last else numbers[2:]


Handler = Callable[[Call], list[Node] | None]  # None: what it says cannot be said by ONNX's operators
