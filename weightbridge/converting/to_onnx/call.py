"""One call of a layer, as its builder sees it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.to_onnx.values import Value
from weightbridge.converting.to_onnx.writer import Writer
from weightbridge.errors import Unsupported
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.model.graph import Layer, LayerGraph, Shape
from weightbridge.model.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Call:
    """settings: canonical attributes and details. layer: whose weights are read: its first call's.

    shape: what it gives, with the batch; None where it is not known.
    steps: for a wrapper that runs its layers for every time step, what it is fed itself.
    parts: for a wrapper, what each of its layers gives, where these are drawn for themselves.
    is_direction: whether it is what a Bidirectional wraps, or that itself.
    keywords: the argument that each input is, "" for the first one.
    """

    writer: Writer
    node: Node
    source: LayerGraph
    settings: Mapping[str, Any]
    layer: Layer
    inputs: tuple[Value, ...]
    keywords: tuple[str, ...]
    shape: Shape | None
    steps: Value | None = None
    parts: tuple[tuple[Value, ...], ...] = ()
    is_direction: bool = False

    @property
    def first(self) -> Value:
        return self.inputs[0]

    @property
    def config(self) -> Mapping[str, Any]:
        return self.node.layer.config

    def tensor(self, role: str) -> Tensor:
        tensor = self.layer.tensor(role)
        if tensor is None:
            raise self.refused(f"has no {role} in the file")
        return tensor

    def optional(self, role: str) -> Tensor | None:
        return self.layer.tensor(role)

    def given(self, keyword: str) -> Value | None:
        """The input that is this argument."""
        places = [value for value, name in zip(self.inputs, self.keywords, strict=True) if name == keyword]
        return places[0] if places else None

    def of_layer(self, layer: Layer) -> "Call":
        """The same call, with the settings and weights of a layer that it wraps."""
        return replace(self, layer=layer, settings=layer.settings)

    def known_shape(self) -> Shape:
        if self.shape is None:
            raise self.refused("gives a shape that does not follow from the file")
        return self.shape

    def refused(self, why: str) -> Unsupported:
        """WB107 for what the writer does not know."""
        return Unsupported(f"{self.node.layer.class_name} {self.node.name} {why}")


Builder = Callable[[Call], Value | tuple[Value, ...]]
