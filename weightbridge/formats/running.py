"""Runner: a model that can be run on arrays, whatever framework runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from weightbridge.model.tensors import Array


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model.

    shape: with the batch axis; None for an axis of any length.
    dtype: numpy's name. vocabulary: for integer inputs, the number of values that are allowed, None where it
    is not known.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    vocabulary: int | None = None


class Runner(Protocol):
    """A loaded model. Loading it has executed no code of the file."""

    @property
    def inputs(self) -> tuple[InputSpec, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        """The outputs in their order, then the activations of the named layers under `layer:<name>`."""
        ...


Saturation = Literal["softmax", "sigmoid"]


@runtime_checkable
class Observable(Runner, Protocol):
    """A runner that knows what it can show besides its outputs.

    layers: the names (those of the LayerGraph) whose activations `run` gives.
    logits: the outputs whose last step is a softmax or sigmoid, and which; what goes into that step is given
    as `logits:<output>` where
        that is among the `layers` asked for. (Saturated outputs hide differences: two random classifiers
        agree to the last bit.)
    """

    @property
    def layers(self) -> tuple[str, ...]: ...

    @property
    def logits(self) -> Mapping[str, Saturation]: ...
