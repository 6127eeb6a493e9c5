"""What one layer is computed from, and how its settings are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.activations import activation
from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.model.activations import Activation, function_of, name_and_parameters
from weightbridge.model.tensors import Array

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One call of a layer.

    inputs: in order, the first arguments; named: the others. masks: of the inputs, None where there is none.
    layer, arguments, keywords, every: of a function between layers what it is, and what it is called with,
    where `{"input": n}` stands for one of all its inputs.
    """

    class_name: str
    config: Config
    inputs: Sequence[Array]
    weights: Mapping[str, Array]
    named: Mapping[str, Array]
    mask: Array | None = None
    layer: ConfigLayer | None = None
    arguments: tuple[Any, ...] = ()
    keywords: Config = field(default_factory=dict)
    every: Sequence[Array] = ()

    @property
    def x(self) -> Array:
        return self.inputs[0]

    def weight(self, role: str) -> Array:
        """RunError where the file has none."""
        if role not in self.weights:
            raise RunError(f"the {self.class_name} has no {role}")
        return self.weights[role]


Function = Callable[[Given], Any]  # an array, or a list of several outputs


def activated(x: Array, told: Activation) -> Array:
    """RunError for a function that is not known."""
    name, parameters = name_and_parameters(told)
    if name in ("softmax", "log_softmax"):
        axis = parameters.get("axis", -1)
        shifted = x - x.max(axis=axis, keepdims=True)
        total = np.exp(shifted).sum(axis=axis, keepdims=True)
        return np.asarray(shifted - np.log(total) if name == "log_softmax" else np.exp(shifted) / total)
    function = function_of(told)
    if function is None:
        raise RunError(f"the activation {name} is not known here")
    return np.asarray(function(x), x.dtype)


def finished(given: Given, x: Array) -> Array:
    """With the layer's bias and activation."""
    if "bias" in given.weights:
        x = x + given.weights["bias"]
    return activated(x, activation(given.config.get("activation")))


def channels_last(given: Given, x: Array) -> Array:
    return np.moveaxis(x, 1, -1) if is_first(given.config) else x


def as_given(given: Given, x: Array) -> Array:
    return np.moveaxis(x, -1, 1) if is_first(given.config) else x


def is_first(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def numbers(value: Any, count: int, default: int = 1) -> tuple[int, ...]:
    """One number for each axis."""
    value = default if value is None else value
    if isinstance(value, int):
        return (value,) * count
    found = tuple(int(n) for n in value)
    return found * count if len(found) == 1 else found
