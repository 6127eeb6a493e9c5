"""The functions that canonical activations stand for, in float64.

Name and parameters as docs/attributes.md says.

Softmax, GLU, PReLU and their like have none here: they read more than the one number.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import erf, pi, sqrt
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array

Activation = str | tuple[str, Mapping[str, Any]]
Function = Callable[[Array], Array]
OLD_HARD_SIGMOID: tuple[str, dict[str, Any]] = (
    "hard_sigmoid",
    {"slope": 0.2, "offset": 0.5},
)  # Keras 1 and 2
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # of the paper and of Keras
_gauss_error = np.vectorize(erf, otypes=[float])


def function_of(activation: Activation) -> Function | None:
    """The function of a name or of (name, {parameters}); None where it is not one of a single number."""
    name, parameters = name_and_parameters(activation)
    function = FUNCTIONS.get(name)
    return None if function is None else partial(function, **parameters)


def name_and_parameters(activation: Activation) -> tuple[str, Mapping[str, Any]]:
    """relu -> relu, {}"""
    return (activation, {}) if isinstance(activation, str) else activation


def named_hard_sigmoid(slope: float, offset: float) -> Activation:
    """The bare name is x / 6 + 0.5; any other has its numbers."""
    is_todays = abs(slope - 1 / 6) < 1e-6 and offset == 0.5
    return "hard_sigmoid" if is_todays else ("hard_sigmoid", {"slope": slope, "offset": offset})


def clipped(low: float | None, high: float | None) -> Activation:
    """What cuts at these bounds, None for none."""
    if (low, high) == (-1, 1):
        return "hard_tanh"
    if low != 0:
        return ("clip", {"min": low, "max": high})
    if high is None:
        return "relu"
    return "relu6" if high == 6 else ("relu", {"max_value": high})


def linear(x: Array) -> Array:
    return x


def relu(x: Array, max_value: float | None = None, slope: float = 0.0, threshold: float = 0.0) -> Array:
    """Keras's: slope (x - threshold) below the threshold, x above it, at most max_value."""
    below = slope * (x - threshold)
    rising = np.where(x >= threshold, x, below)
    return rising if max_value is None else np.minimum(rising, max_value)


def relu6(x: Array) -> Array:
    return np.clip(x, 0.0, 6.0)


def leaky_relu(x: Array, slope: float = 0.2) -> Array:
    return np.where(x > 0, x, slope * x)


def thresholded_relu(x: Array, theta: float = 1.0) -> Array:
    return np.where(x > theta, x, 0.0)


def clip(x: Array, min: float | None = None, max: float | None = None) -> Array:
    return np.clip(x, -np.inf if min is None else min, np.inf if max is None else max)


def elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def celu(x: Array, alpha: float = 1.0) -> Array:
    return elu(x / alpha) * alpha


def selu(x: Array) -> Array:
    return SELU_SCALE * elu(x, SELU_ALPHA)


def sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def log_sigmoid(x: Array) -> Array:
    return -softplus(-x)


def hard_sigmoid(x: Array, slope: float = 1 / 6, offset: float = 0.5) -> Array:
    """Keras 3's and torch's; Keras 1 and 2 have a slope of 0.2."""
    return np.clip(slope * x + offset, 0.0, 1.0)


def swish(x: Array) -> Array:
    return x * sigmoid(x)


def hard_swish(x: Array) -> Array:
    return x * hard_sigmoid(x)


def gelu(x: Array) -> Array:
    return np.asarray(0.5 * x * (1.0 + _gauss_error(x / sqrt(2.0))))


def gelu_tanh(x: Array) -> Array:
    """Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415."""
    inner = sqrt(2.0 / pi) * (x + 0.044715 * x**3)
    return np.asarray(0.5 * x * (1.0 + np.tanh(inner)))


def softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def softsign(x: Array) -> Array:
    return x / (1.0 + np.abs(x))


def mish(x: Array) -> Array:
    return x * np.tanh(softplus(x))


def squareplus(x: Array, b: float = 4.0) -> Array:
    return 0.5 * (x + np.sqrt(np.square(x) + b))


def sparse_plus(x: Array) -> Array:
    between = np.square(x + 1.0) / 4.0
    return np.where(x <= -1.0, 0.0, np.where(x < 1.0, between, x))


def sparse_sigmoid(x: Array) -> Array:
    return np.clip(0.5 * (x + 1.0), 0.0, 1.0)


def tanh_shrink(x: Array) -> Array:
    return x - np.tanh(x)


def hard_tanh(x: Array) -> Array:
    return np.clip(x, -1.0, 1.0)


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    return np.where(np.abs(x) > threshold, x, 0.0)


def softmax(x: Array) -> Array:
    """Over the last axis: of no single number, so it stands in no table."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0.0)


FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "linear": linear,
    "relu": relu,
    "relu6": relu6,
    "leaky_relu": leaky_relu,
    "thresholded_relu": thresholded_relu,
    "clip": clip,
    "elu": elu,
    "celu": celu,
    "selu": selu,
    "sigmoid": sigmoid,
    "log_sigmoid": log_sigmoid,
    "hard_sigmoid": hard_sigmoid,
    "swish": swish,
    "hard_swish": hard_swish,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "exponential": np.exp,
    "exp": np.exp,
    "tanh": np.tanh,
    "softplus": softplus,
    "softsign": softsign,
    "mish": mish,
    "squareplus": squareplus,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "tanh_shrink": tanh_shrink,
    "hard_tanh": hard_tanh,
    "hard_shrink": hard_shrink,
    "soft_shrink": soft_shrink,
}
WITHOUT_FUNCTION = frozenset({"prelu", "glu", "softmax", "log_softmax", "sparsemax", "threshold"})
KNOWN = frozenset(FUNCTIONS) | WITHOUT_FUNCTION  # any other name is a function of the user's own
