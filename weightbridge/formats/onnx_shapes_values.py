"""What a shape is, and what a rule for shapes is."""

from collections.abc import Callable

from weightbridge.formats.onnx_proto import Node
from weightbridge.formats.onnx_values import Net

Shape = tuple[int | None, ...]  # with the batch axis; None for a length that is not known
Rule = Callable[[Node, list[Shape | None], Net], Shape | None]
