"""One layer of the source, as its builder sees it."""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.layout import Length
from weightbridge.converting.from_graph.source.sharing import Sharing
from weightbridge.converting.from_graph.values import Settings, Value
from weightbridge.converting.from_graph.writer import Fed, Writer
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor


@dataclass(frozen=True, slots=True)
class Call:
    """inputs: the values that it is fed; keywords: the argument that each is, "" for the first one.

    batch: the length of the batch that the model declares, None for any; () where it does not say.
    fused: the activation behind the layer that becomes a setting of it, None for none.
    flattened: whether all that follows flattens what it gives.
    """

    writer: Writer
    source: LayerGraph
    layer: Layer
    inputs: tuple[Value, ...]
    keywords: tuple[str, ...]
    sharing: Sharing
    settings_of: Settings
    batch: tuple[Length, ...] = ()
    fused: Layer | None = None
    flattened: bool = False

    @property
    def first(self) -> Value:
        return self.inputs[0]

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.layer.settings

    @property
    def name(self) -> str:
        return self.layer.name

    def tensor(self, role: str) -> Tensor | None:
        return self.sharing.tensors[self.layer.name].get(role)

    def needed(self, role: str) -> Tensor:
        found = self.tensor(role)
        if found is None:
            raise Unsupported(f"has no {role}")
        return found

    def keras(self, class_name: str, config: Mapping[str, Any], *fed: Fed) -> tuple[str, int]:
        """The layer in Keras and the number of this call; a new layer but where it is called again."""
        first = self.sharing.made.get(self.sharing.called_again.get(self.name, ""))
        if first is not None:
            return first, self.writer.called_again(first, *fed)
        name = self.writer.layer(class_name, self.name, config, *fed)
        self.sharing.made[self.name] = name
        return name, 0

    def weight(self, layer: str, role: str, shape: tuple[int, ...], tensor: Tensor, transform: str,
               parameters: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        """A weight of the layer in Keras; of a shared one the first call has given them already."""
        self.give(Weight(layer, role, (tensor.name,), shape, transform, parameters or {}))

    def give(self, weight: Weight) -> None:
        """The same, of several tensors of the source or of none."""
        if self.name not in self.sharing.called_again:
            self.writer.weight(weight)


Made = Value | tuple[Value, ...]
Builder = Callable[[Call], Made]
