"""BatchNorm statistics worked out from weights alone.

The mean and variance of a layer's inputs, by channel.

A norm writes beta and gamma^2. Sums add. Kernels: kernel_moments.py. Activations: gaussian.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.adapters.apply.expressions import Expression
from weightbridge.adapters.apply.gaussian import after_activation
from weightbridge.adapters.apply.kernel_moments import FLOOR, Moments, after_kernel
from weightbridge.adapters.apply.maps_of_axes import map_axes
from weightbridge.model.tensors import Array


def expected_statistics(
    arrays: Sequence[Array], parameters: Mapping[str, Any], shape: tuple[int, ...]
) -> tuple[Array, float]:
    """A norm's moving mean, variance or deviation (`statistic`) from the expression of its input (`of`)."""
    mean, variance = moments(parameters["of"], arrays)
    statistic, floored = parameters["statistic"], np.maximum(variance, FLOOR)
    value = mean if statistic == "mean" else floored
    if statistic == "deviation":  # what a norm divides by, with the variance as it is stored
        value = np.sqrt(floored.astype(np.float32).astype(np.float64) + float(parameters["epsilon"]))
    return np.broadcast_to(value, shape).copy(), 1.0


def moments(expression: Expression, arrays: Sequence[Array]) -> Moments:
    """Mean and variance by channel of what an expression (see expressions.py) stands for."""
    match expression:
        case {"normal": size, "gamma": gamma, "beta": beta}:
            return _vector(beta, arrays, size), np.square(_vector(gamma, arrays, size))
        case {"standard": size}:
            return _standard(int(size))
        case {"input": size}:
            return _input(int(size), expression, arrays)
        case {"activation": name, "of": inner}:
            activation = str(name), expression.get("parameters", {})
            return after_activation(activation, *moments(inner, arrays))
        case {"sum": terms}:
            means, variances = _of_each(terms, arrays)
            return np.sum(means, axis=0), np.sum(variances, axis=0)
        case {"concat": terms}:
            means, variances = _of_each(terms, arrays)
            return np.concatenate(means), np.concatenate(variances)
        case {"kernel": number, "of": inner}:
            kernel, _ = map_axes([arrays[number]], expression["parameters"], ())
            return after_kernel(kernel, expression["letters"].split(), *moments(inner, arrays))
        case unknown:
            raise ValueError(f"expression {sorted(unknown)} is not known")


def _vector(leaf: Any, arrays: Sequence[Array], size: int) -> Array:
    """The values of a leaf: a number, or a source tensor with rules for its axes."""
    if not isinstance(leaf, Mapping):
        return np.full(size, float(leaf))
    value, _ = map_axes([arrays[int(leaf["source"])]], leaf, ())
    return value


def _standard(size: int) -> Moments:
    return np.zeros(size), np.ones(size)


def _input(size: int, expression: Expression, arrays: Sequence[Array]) -> Moments:
    """The model's input as the source's first norm has seen it; standard where that was never trained."""
    sources = (arrays[expression[role]] for role in ("kernel", "mean", "variance"))
    kernel, mean, variance = (np.asarray(array, np.float64) for array in sources)
    if np.ptp(variance) == 0.0:
        return _standard(size)
    letters = expression["letters"].split()
    centre = _centre(kernel, letters.index("o"), mean)
    of_standard = after_kernel(kernel, letters, *_standard(kernel.shape[letters.index("i")]))
    spread = float(variance.mean() / max(of_standard[1].mean(), FLOOR))
    return np.full(size, centre), np.full(size, spread)


def _centre(kernel: Array, output_axis: int, mean: Array) -> float:
    """The input's mean, by least squares: each filter turns it into its own sum times it."""
    filters = np.moveaxis(kernel, output_axis, 0).reshape(kernel.shape[output_axis], -1)
    sums = filters.sum(axis=1)
    return float(mean @ sums / (sums @ sums)) if np.any(sums) else 0.0


def _of_each(terms: Sequence[Expression], arrays: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    both = [moments(term, arrays) for term in terms]
    return [mean for mean, _ in both], [variance for _, variance in both]
