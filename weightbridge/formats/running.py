"""Runner: a model that can be run on arrays, whatever framework runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from weightbridge.tensors import Array


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model.

    shape: with the batch axis; None for an axis of any length.
    dtype: numpy's name. vocabulary: for integer inputs, the number of values that are allowed, None where it is not known.
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
