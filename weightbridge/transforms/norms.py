"""Values of a BatchNorm from those of another, or from a chain of products and sums per channel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array


def batchnorm_gamma(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """gamma' = gamma sqrt((var + eps_target) / (var + eps_source)): the same function, another epsilon.

    A single array is the variance: of a norm without gamma, which is a gamma of one.
    """
    *gammas, variance = (array.astype(np.float64) for array in arrays)
    gamma = gammas[0] if gammas else np.ones_like(variance)
    target_variance = variance + parameters["target_epsilon"]
    source_variance = variance + parameters["source_epsilon"]
    return np.asarray(gamma * np.sqrt(target_variance / source_variance))


def batchnorm_variance(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """var' = var + eps_source - eps_target: the same for a norm without gamma."""
    variance = arrays[0].astype(np.float64)
    return np.asarray(variance + parameters["source_epsilon"] - parameters["target_epsilon"])


def affine(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A chain of per-channel operations as BatchNorm values over mean 0 and variance 1.

    `scale` is gamma, `shift` is beta. `mean` is the moving mean that has the effect of the shift, for a
    BatchNorm without beta; `variance` the moving variance that has the effect of the scale, for one without
    gamma: NaN where the scale is not positive, as none has that effect.
    """
    scale, shift = _scale_and_shift(arrays, parameters["ops"])
    epsilon = float(parameters["epsilon"])
    match parameters["value"]:
        case "mean":
            return np.asarray(-shift / scale)
        case "variance":
            is_positive = scale > 0
            divisor = np.where(is_positive, scale, 1)
            return np.where(is_positive, 1 / divisor**2 - epsilon, np.nan)
        case "scale":
            return np.asarray(scale * np.sqrt(1 + epsilon))
    return shift


def squared(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Keras 1 stored `running_std`, which already is a variance; other writers stored a real deviation."""
    return np.square(arrays[0].astype(np.float64))


def _scale_and_shift(arrays: Sequence[Array], operations: Sequence[str]) -> tuple[Array, Array]:
    scale: Array = np.ones(arrays[0].size)
    shift: Array = np.zeros(arrays[0].size)
    for operation, array in zip(operations, arrays, strict=True):
        value = array.astype(np.float64).reshape(-1)
        match operation:
            case "multiply":
                scale, shift = scale * value, shift * value
            case "divide":
                scale, shift = scale / value, shift / value
            case "subtract":
                shift = shift - value
            case _:
                shift = shift + value
    return scale, shift
