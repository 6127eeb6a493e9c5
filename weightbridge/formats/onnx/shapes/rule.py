"""What a shape is, and what a rule for shapes is."""

from collections.abc import Callable, Mapping

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.net import Net

Shape = tuple[int | None, ...]  # with the batch axis; None for a length that is not known


@dataclass(frozen=True, slots=True)
class Facts:
    """The graph, and the shapes that are known so far, by value name."""

    net: Net
    shapes: Mapping[str, Shape]


Rule = Callable[[Node, list[Shape | None], Facts], Shape | None]


def with_leading_ones(shape: Shape, rank: int) -> Shape:
    """The shape as one of so many axes: (3, 4) of rank 4 -> (1, 1, 3, 4)."""
    missing = rank - len(shape)
    return (1,) * missing + shape
