"""Runner: a model that can be run on arrays, whatever framework runs it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.errors import RunError
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Array, dtype_of

Shape = tuple[int | None, ...]
Change = Callable[[str, Array], Array]  # the name of a layer and one of its weights -> that weight changed
TEXT = "string"
# One unit in the last place of 1.0: how coarse a dtype is.
ULPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model.

    shape: with the batch axis; None for an axis of any length.
    dtype: numpy's name, or `string`. vocabulary: for integer inputs, the number of values that are allowed,
    None where it is not known; least: the first of them. words: for text, some that the model knows; for
    integers that a lookup reads, the numbers it knows.
    """

    name: str
    shape: Shape
    dtype: str
    vocabulary: int | None = None
    words: tuple[str, ...] = ()
    least: int = 0

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Whether arrays of this shape fit, however many of them."""
        lengths = zip(self.shape[1:], shape[1:], strict=False)
        return len(shape) == len(self.shape) and all(n is None or n == length for n, length in lengths)

    def typed(self, array: Array) -> Array:
        """The array in this input's dtype; text stays as it is."""
        return array if self.dtype == TEXT else array.astype(dtype_of(self.dtype))


@dataclass(frozen=True, slots=True)
class Precision:
    """The coarsest floating-point dtypes that a model computes in and stores weights in."""

    compute: str = "float32"
    storage: str = "float32"

    @property
    def coarsest(self) -> str:
        return coarsest((self.compute, self.storage))

    @property
    def is_narrow(self) -> bool:
        """Whether anything in it is coarser than float32."""
        return ULPS[self.coarsest] > ULPS["float32"]


def coarsest(dtypes: Iterable[str]) -> str:
    """The floating-point dtype with the fewest digits; float32 where there is none."""
    return max((d for d in dtypes if d in ULPS), key=ULPS.__getitem__, default="float32")


@dataclass(frozen=True, slots=True)
class Grid:
    """The floats that codes stand for: multiples of `step` from `low` to `high`.

    step 0: of what a layer reads, 127 steps to the largest of each item, as an interpreter finds on the fly.
    """

    step: float
    low: float = 0.0
    high: float = 0.0


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


@runtime_checkable
class Adjustable(Runner, Protocol):
    """A runner that can be had in other shapes, and with other weights."""

    @property
    def precision(self) -> Precision: ...

    @property
    def stored(self) -> Mapping[str, str]:
        """The coarsest dtype that each layer stores a weight in."""
        ...

    def resized(self, shapes: Sequence[Shape]) -> Runner:
        """The same weights for inputs of these shapes; RunError where they only fit the shape they have."""
        ...

    def with_weights(self, change: Change) -> Runner:
        """The same model, each of whose floating-point weights is changed."""
        ...


@runtime_checkable
class Widenable(Runner, Protocol):
    """A runner that can be had in float64 without its file being loaded once more."""

    def in_double(self) -> Runner:
        """RunError where the model cannot be had so."""
        ...


@runtime_checkable
class Rounding(Runner, Protocol):
    """A runner of a quantised model. grids: by layer (or input), what its data are rounded to."""

    @property
    def grids(self) -> Mapping[str, Grid]: ...


@runtime_checkable
class Roundable(Runner, Protocol):
    """A runner of a model of floats, whose layers can be made to round what they give."""

    def rounded(self, feeds: Mapping[str, Array], grids: Mapping[str, Grid], seed: int) -> dict[str, Array]:
        """The outputs. seed: of what is added before rounding, at most half a step; 0 for nothing."""
        ...


@runtime_checkable
class Rearrangeable(Runner, Protocol):
    """A runner whose work can be cut into other pieces, which rounds otherwise and computes the same."""

    def rearranged(self) -> Runner: ...


@runtime_checkable
class Remarking(Runner, Protocol):
    """A runner that knows of its runs what explains a difference."""

    @property
    def remarks(self) -> tuple[str, ...]: ...


@runtime_checkable
class Divisible(Runner, Protocol):
    """A runner whose layers can be run one by one."""

    @property
    def layers(self) -> tuple[str, ...]: ...

    def given(self, feeds: Mapping[str, Array], layers: Sequence[str]) -> dict[str, tuple[Array, ...]]:
        """What each of these layers reads; without those of which a run does not show it."""
        ...

    def alone(self, layer: str, arrays: Sequence[Array]) -> Array:
        """What one layer gives for these, after `given` has seen how it is called.

        RunError where it does not take them.
        """
        ...


def fitting(runner: Runner, shapes: Sequence[Shape]) -> tuple[InputSpec, ...]:
    """The inputs of a runner with other shapes."""
    return tuple(replace(spec, shape=shape) for spec, shape in zip(runner.inputs, shapes, strict=True))


def typed_feeds(specs: Iterable[InputSpec], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """What is fed to these inputs, in their dtypes; an input that is not fed is left out."""
    return {spec.name: spec.typed(np.asarray(feeds[spec.name])) for spec in specs if spec.name in feeds}


def weight_dtypes(layers: Iterable[Layer]) -> dict[str, str]:
    """The coarsest dtype that each layer stores a weight in."""
    return {layer.name: coarsest(t.dtype for t in layer.tensors) for layer in layers if layer.tensors}


def key_of(name: str) -> str:
    """The key of an activation or of logits among the results of a run."""
    return name if name.startswith("logits:") else f"layer:{name}"


def not_shown(name: str, where: str) -> RunError:
    """The error for a layer that a run cannot show."""
    return RunError(f"there is no layer {name!r} whose activation can be shown", where=where)


def brief(error: Exception) -> str:
    """What a framework's error says first."""
    return str(error).split("\n", 1)[0][:300]
