"""A runner that ends at one of its layers: what that layer gives is its one output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.boundary.words import did_you_mean
from weightbridge.errors import UsageError
from weightbridge.formats.running import Change, InputSpec, Precision, Runner, Saturation, Shape
from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class UpTo:
    """The runner without what comes behind the layer; it can be adjusted where the runner can."""

    runner: Any
    layer: str

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        inputs: tuple[InputSpec, ...] = self.runner.inputs
        return inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def layers(self) -> tuple[str, ...]:
        layers: tuple[str, ...] = self.runner.layers
        return layers

    @property
    def logits(self) -> Mapping[str, Saturation]:
        return {}

    @property
    def precision(self) -> Precision:
        precision: Precision = self.runner.precision
        return precision

    @property
    def stored(self) -> Mapping[str, str]:
        stored: Mapping[str, str] = self.runner.stored
        return stored

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        result = self.runner.run(feeds, tuple(dict.fromkeys((self.layer, *layers))))
        shown = {key: value for key, value in result.items() if key.startswith("layer:")}
        return {self.layer: result[f"layer:{self.layer}"], **shown}

    def resized(self, shapes: Sequence[Shape]) -> Runner:
        return UpTo(self.runner.resized(shapes), self.layer)

    def with_weights(self, change: Change) -> Runner:
        return UpTo(self.runner.with_weights(change), self.layer)


def up_to(runner: Runner, layer: str) -> Runner:
    """The runner that ends at this layer. Raises UsageError where it cannot show the layer."""
    shown = getattr(runner, "layers", ())
    if layer not in shown:
        fix = f"Name a layer that can be looked at while the model runs.{did_you_mean(layer, shown)}"
        raise UsageError(f"what the layer {layer!r} gives cannot be seen", fix=fix)
    return UpTo(runner, layer)
