"""Shown: which values of a graph show its layers, and the logits of its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.running.last_steps import LastStep
from weightbridge.formats.running import Saturation, key_of, not_shown
from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class Shown:
    """layers: the value of each. steps: the saturating last step of an output. where: the model, as an error
    names it.
    """

    layers: Mapping[str, str]
    steps: Mapping[str, LastStep]
    where: str

    @property
    def logits(self) -> dict[str, Saturation]:
        return {output: step.saturation for output, step in self.steps.items()}

    def value(self, name: str) -> str:
        """The value that shows a layer, or `logits:<output>`. Raises RunError for any other name."""
        if name in self.layers:
            return self.layers[name]
        output = name.removeprefix("logits:")
        if output == name or output not in self.steps:
            raise not_shown(name, self.where)
        return self.steps[output].value

    def placed(self, key: str, array: Array, outputs: Mapping[str, Array]) -> Array:
        """Logits at the places of their output; anything else as it is."""
        name = key.removeprefix("logits:")
        return (
            array if name == key or name not in self.steps else self.steps[name].moved(array, outputs[name])
        )

    def by_key(self, names: Sequence[str]) -> dict[str, str]:
        """The value of each name, by its key among the results of a run."""
        return {key_of(name): self.value(name) for name in names}
