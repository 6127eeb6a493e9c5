"""Small networks in numpy that the verifier can run.

A hidden layer between two matrices, in float32 and in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.running import InputSpec
from weightbridge.model.tensors import Array


@dataclass(frozen=True)
class Network:
    """x @ first, an activation, @ second + bias.

    `softmax` makes probabilities of it, which it can show as logits too.
    """

    first: Array
    second: Array
    bias: Array
    dtype: str = "float32"
    softmax: bool = False
    shows: bool = True
    noise: float = 0.0
    activation: Callable[[Array], Array] = np.tanh
    names: tuple[str, ...] = ("y",)
    input: tuple[int | None, ...] = (None, 8)
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        return (InputSpec("x", self.input, "float32"),)

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.names

    @property
    def layers(self) -> tuple[str, ...]:
        return ("hidden",) if self.shows else ()

    @property
    def logits(self) -> Mapping[str, Any]:
        return {self.names[0]: "softmax"} if self.softmax and self.shows else {}

    def run(self, feeds: Mapping[str, Array], layers: Sequence[str] = ()) -> dict[str, Array]:
        first, second, bias, x = (
            np.asarray(a, self.dtype) for a in (self.first, self.second, self.bias, feeds["x"])
        )
        if x.shape[-1] != len(first):
            raise RunError("another number of features")
        hidden = self.activation(x @ first)
        result = hidden @ second + bias + self.generator.normal(size=bias.shape) * self.noise
        shown = {"layer:hidden": hidden, f"logits:{self.names[0]}": result}
        return {
            self.names[0]: probabilities(result) if self.softmax else result,
            **{key: shown[key] for key in map(_key, layers)},
        }


def _key(name: str) -> str:
    return name if name.startswith("logits:") else f"layer:{name}"


def probabilities(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def network(seed: int = 0, scale: float = 1.0, **changed: Any) -> Network:
    g = np.random.default_rng(seed)
    first, second = g.normal(size=(8, 8)) * scale, g.normal(size=(8, 8)) * scale
    return Network(
        **{
            "first": first.astype("f4"),
            "second": second.astype("f4"),
            "bias": g.normal(size=8).astype("f4"),
            **changed,
        }
    )


def precise(one: Network) -> Callable[[], Network]:
    return lambda: replace(one, dtype="float64")
