"""Side: one end of a correspondence of tensors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import as_operation
from weightbridge.model.tensors import Tensor

Transform = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Side:
    """A tensor, the layer that reads it, and the graph of both."""

    graph: LayerGraph
    layer: Layer
    tensor: Tensor

    @property
    def place(self) -> tuple[LayerGraph, Layer]:
        return self.graph, self.layer

    @property
    def said(self) -> tuple[str, str, str, Mapping[str, Any]]:
        """What the side of a rule speaks of."""
        return self.graph.framework, self.layer.op, self.tensor.role, self.layer.attributes

    def as_operation(self, op: str) -> "Side":
        """The same tensor, read by a layer of another operation."""
        layer, tensor = as_operation(self.graph.framework, self.layer, self.tensor, op)
        return replace(self, layer=layer, tensor=tensor)
