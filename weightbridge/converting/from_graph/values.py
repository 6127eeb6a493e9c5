"""The values of a conversion to Keras: what flows through the model, weights to come, and the whole."""

from dataclasses import replace

from weightbridge.boundary.options import InputLayout
from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.layout import Layout
from weightbridge.converting.values import Config, Sentences, Weight


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer gives: the layer, the number of its call and of its output, and how Keras holds it."""

    layer: str
    call: int
    output: int
    layout: Layout
    dtype: str = "float32"

    def seen(self, layout: Layout) -> "Value":
        """The same array, as another layout says it is."""
        return replace(self, layout=layout)

    def after(self, layer: str, call: int = 0) -> "Value":
        """What a layer that is fed it gives, where that has the same axes and the same dtype."""
        return replace(self, layer=layer, call=call, output=0)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the user wants the file."""

    input_layout: InputLayout = "nhwc"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The model's configuration, its weights, and what is to be said of it.

    path: the source's. untied: what its layers share, and Keras's do not.
    settled: tensors of the source whose values stand in the configuration.
    """

    path: str
    config: Config
    weights: tuple[Weight, ...]
    rewritten: Sentences
    untied: Sentences
    settled: frozenset[str] = frozenset()
