"""What a shape is, and what a rule for shapes is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.values import Net

Shape = tuple[int | None, ...]  # with the batch axis; None for a length that is not known


@dataclass(frozen=True, slots=True)
class Facts:
    """The graph, and the shapes that are known so far, by value name."""

    net: Net
    shapes: Mapping[str, Shape]


Rule = Callable[[Node, list[Shape | None], Facts], Shape | None]
