"""Shown: which values of a graph show its layers, and the logits of its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.formats.running import Saturation, key_of, not_shown


@dataclass(frozen=True, slots=True)
class Shown:
    """layers: the value of each. steps: what goes into the last step of an output, and which step it is.

    where: the model, as an error names it.
    """

    layers: Mapping[str, str]
    steps: Mapping[str, tuple[str, Saturation]]
    where: str

    @property
    def logits(self) -> dict[str, Saturation]:
        return {output: saturation for output, (_, saturation) in self.steps.items()}

    def value(self, name: str) -> str:
        """The value that shows a layer, or `logits:<output>`. Raises RunError for any other name."""
        if name in self.layers:
            return self.layers[name]
        output = name.removeprefix("logits:")
        if output == name or output not in self.steps:
            raise not_shown(name, self.where)
        return self.steps[output][0]

    def by_key(self, names: Sequence[str]) -> dict[str, str]:
        """The value of each name, by its key among the results of a run."""
        return {key_of(name): self.value(name) for name in names}
