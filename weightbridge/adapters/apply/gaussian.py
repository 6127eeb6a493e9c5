"""Mean and variance behind an activation of a Gaussian, by Gauss-Hermite quadrature."""

import numpy as np

from weightbridge.adapters.apply.kernel_moments import Moments
from weightbridge.model.activations import Activation, function_of, relu
from weightbridge.model.tensors import Array

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def after_activation(activation: Activation, mean: Array, variance: Array) -> Moments:
    """Mean and variance by channel; an activation without a function of one number is taken as ReLU."""
    function = function_of(activation) or relu
    inputs = mean[:, None] + np.sqrt(variance)[:, None] * NODES
    outputs = function(inputs)
    first, second = outputs @ WEIGHTS, np.square(outputs) @ WEIGHTS
    return first, np.maximum(second - first**2, 0.0)
