"""BatchNorm statistics worked out from weights alone: the mean and variance that a layer's inputs give,
channel by channel.

A norm writes beta and gamma^2; activations are integrated over a Gaussian; sums add; a kernel gives mean =
sum W mu and
variance = (1 - r) sum W^2 s^2 + r sum_channels (sum_taps W)^2 s^2, where r is the correlation of neighbouring
places. For kernels
without structure both terms agree, for smooth ones the second is right.
"""

from collections.abc import Callable, Mapping, Sequence
from math import erf
from typing import Any

import numpy as np

from weightbridge.adapters.apply.expressions import Expression
from weightbridge.adapters.apply.maps_of_axes import map_axes
from weightbridge.model.tensors import Array

Moments = tuple[Array, Array]
CORRELATION = 0.5
FLOOR = 1e-6  # of a variance: a channel that never changes is left as it is
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def expected_statistics(
    arrays: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    """The moving mean or variance of a norm (`statistic`) from the expression of what it is fed (`of`)."""
    mean, variance = moments(parameters["of"], arrays)
    value = mean if parameters["statistic"] == "mean" else np.maximum(variance, FLOOR)
    return np.broadcast_to(value, shape).copy(), 1.0


def moments(expression: Expression, arrays: Sequence[Array]) -> Moments:
    """Mean and variance per channel."""
    match expression:
        case {"normal": size, "gamma": gamma, "beta": beta}:
            return _leaf(beta, arrays, size), np.square(_leaf(gamma, arrays, size))
        case {"standard": size}:
            return _standard(int(size))
        case {"input": size, "kernel": kernel, "mean": mean, "variance": variance}:
            return _input(
                int(size),
                [np.asarray(arrays[n], np.float64) for n in (kernel, mean, variance)],
                expression["letters"].split(),
            )
        case {"activation": name, "of": inner}:
            return _activated(str(name), moments(inner, arrays))
        case {"sum": terms}:
            found = [moments(term, arrays) for term in terms]
            return np.sum([m for m, _ in found], axis=0), np.sum([v for _, v in found], axis=0)
        case {"concat": terms}:
            found = [moments(term, arrays) for term in terms]
            return np.concatenate([m for m, _ in found]), np.concatenate([v for _, v in found])
        case {"kernel": number, "of": inner}:
            kernel = map_axes([arrays[number]], expression["parameters"], ())[0]
            return _filtered(kernel, expression["letters"].split(), moments(inner, arrays))
        case unknown:
            raise ValueError(f"expression {sorted(unknown)} is not known")


def _standard(size: int) -> Moments:
    return np.zeros(size), np.ones(size)


def _leaf(leaf: Any, arrays: Sequence[Array], size: int) -> Array:
    if isinstance(leaf, Mapping):
        return map_axes([arrays[int(leaf["source"])]], leaf, ())[0]
    return np.full(size, float(leaf))


def _input(size: int, stem: Sequence[Array], letters: list[str]) -> Moments:
    """The model's input as the source's first norm has seen it; mean 0 and variance 1 where that norm was
    never trained.
    """
    kernel, mean, variance = stem
    if np.ptp(variance) == 0.0:
        return _standard(size)
    apart = letters.index("o")
    sums = np.moveaxis(kernel, apart, 0).reshape(kernel.shape[apart], -1).sum(1)
    _, spread = _filtered(kernel, letters, _standard(kernel.shape[letters.index("i")]))
    centre = float(mean @ sums / (sums @ sums)) if np.any(sums) else 0.0
    return np.full(size, centre), np.full(size, float(variance.mean() / max(spread.mean(), FLOOR)))


def _filtered(kernel: Array, letters: list[str], fed: Moments) -> Moments:
    """Depthwise kernels (`c`) keep channels apart; others (`i`, `o`) sum over them."""
    mean, variance = fed
    taps = tuple(n for n, letter in enumerate(letters) if letter.startswith("x"))
    sums, squares = kernel.sum(axis=taps), np.square(kernel).sum(axis=taps)
    spread = (1 - CORRELATION) * squares + CORRELATION * np.square(sums)
    rest = [letter for letter in letters if not letter.startswith("x")]
    if "c" in rest:
        return (sums * mean[:, None]).reshape(-1), (spread * variance[:, None]).reshape(-1)
    if rest == ["o", "i"]:
        sums, spread = sums.T, spread.T
    return _whole(mean, sums), _whole(variance, spread)


def _whole(moment: Array, weights: Array) -> Array:
    """Grouped kernels read a part of the channels each."""
    split = len(moment) // len(weights)
    if split <= 1:
        return np.asarray(moment @ weights)
    parts = zip(np.split(moment, split), np.split(weights, split, axis=1), strict=True)
    return np.concatenate([part @ w for part, w in parts])


def _activated(name: str, fed: Moments) -> Moments:
    """Mean and variance after an activation of a Gaussian, by Gauss-Hermite quadrature; an unknown one is
    taken as ReLU.
    """
    mean, variance = fed
    values = ACTIVATIONS.get(name, _relu)(mean[:, None] + np.sqrt(variance)[:, None] * NODES)
    first, second = values @ WEIGHTS, np.square(values) @ WEIGHTS
    return first, np.maximum(second - first**2, 0.0)


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": _relu,
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
    "swish": lambda x: x * _sigmoid(x),
    "gelu": lambda x: np.asarray(0.5 * x * (1.0 + np.vectorize(erf)(x / np.sqrt(2.0)))),
    "gelu_tanh": lambda x: x * _sigmoid(1.702 * x),
    "hard_swish": lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0.0, x),
}
