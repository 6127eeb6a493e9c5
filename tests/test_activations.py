"""The functions of activations, against values worked out by hand and against Keras.

ONNX's words for them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import Op, saved

from weightbridge import formats
from weightbridge.adapters.apply.moments import moments
from weightbridge.model.activations import FUNCTIONS, OLD_HARD_SIGMOID, Activation, function_of

GRID = np.linspace(-7.3, 7.3, 401)
VALUES: dict[str, tuple[Activation, float, float]] = {
    "relu": ("relu", -1.0, 0.0),
    "relu-with-all": (("relu", {"max_value": 4.0, "slope": 0.1, "threshold": 1.0}), 0.5, -0.05),
    "relu-at-its-ceiling": (("relu", {"max_value": 4.0}), 5.0, 4.0),
    "leaky-relu": (("leaky_relu", {"slope": 0.01}), -2.0, -0.02),
    "elu": (("elu", {"alpha": 2.0}), -1.0, 2 * (np.exp(-1) - 1)),
    "celu": (("celu", {"alpha": 2.0}), -1.0, 2 * (np.exp(-0.5) - 1)),
    "thresholded": (("thresholded_relu", {"theta": 2.0}), 1.5, 0.0),
    "clip": (("clip", {"min": -1.0, "max": None}), -3.0, -1.0),
    "gelu": ("gelu", 1.0, 0.8413447460685429),
    "gelu-tanh": ("gelu_tanh", 1.0, 0.8411919906082768),
    "hard-sigmoid": ("hard_sigmoid", 1.0, 2 / 3),
    "older-hard-sigmoid": (OLD_HARD_SIGMOID, 1.0, 0.7),
}
KERAS = {"hard_swish": "hard_silu", "swish": "silu", "gelu_tanh": "gelu"}
NOT_FUNCTIONS_OF_KERAS = {"clip", "exp", "thresholded_relu"}


@pytest.mark.parametrize(("activation", "x", "expected"), VALUES.values(), ids=VALUES)
def test_values(activation: Activation, x: float, expected: float) -> None:
    function = function_of(activation)
    assert function is not None
    assert function(np.array([x])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("activation", ["softmax", "own_function", ("softmax", {"axis": 1})], ids=str)
def test_what_is_no_function_of_one_number_has_none(activation: Activation) -> None:
    assert function_of(activation) is None


@pytest.mark.framework
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - NOT_FUNCTIONS_OF_KERAS))
def test_keras_computes_the_same(name: str) -> None:
    import keras

    function = keras.activations.get(KERAS.get(name, name))
    options = {"approximate": name == "gelu_tanh"} if "gelu" in name else {}
    expected = function(keras.ops.convert_to_tensor(GRID, dtype="float64"), **options)
    assert np.abs(FUNCTIONS[name](GRID) - np.asarray(expected)).max() < 1e-6


KINK = 1e-2  # quadrature is less exact where a function turns
MOMENTS: dict[str, tuple[str, dict[str, float], float]] = {
    "gelu-tanh": ("gelu_tanh", {}, 1e-6),
    "a-slope-of-its-own": ("leaky_relu", {"slope": 0.01}, KINK),
    "a-ceiling": ("relu", {"max_value": 1.0}, KINK),
    "selu": ("selu", {}, KINK),
    "older-hard-sigmoid": (*OLD_HARD_SIGMOID, KINK),
}


@pytest.mark.parametrize(("name", "parameters", "tolerance"), MOMENTS.values(), ids=MOMENTS)
def test_mean_and_variance_are_those_of_the_layers_own_function(
    name: str, parameters: dict[str, float], tolerance: float
) -> None:
    expression = {"activation": name, "parameters": parameters, "of": {"standard": 1}}
    x = np.linspace(-9, 9, 100001)
    weights = np.exp(-(x**2) / 2)
    weights /= weights.sum()
    function = function_of((name, parameters))
    assert function is not None
    mean = weights @ function(x)
    variance = weights @ np.square(function(x)) - mean**2
    (got_mean,), (got_variance,) = moments(expression, [])
    assert (got_mean, got_variance) == pytest.approx((mean, variance), abs=tolerance)


HARD: dict[str, tuple[dict[str, float], Activation]] = {
    "onnx-own-numbers": ({}, OLD_HARD_SIGMOID),
    "keras-3": ({"alpha": 1 / 6}, "hard_sigmoid"),
    "others": ({"alpha": 0.3, "beta": 0.4}, ("hard_sigmoid", {"slope": 0.3, "offset": 0.4})),
}


@pytest.mark.parametrize(("attributes", "expected"), HARD.values(), ids=HARD)
def test_an_onnx_hard_sigmoid_has_the_canonical_words(
    tmp_path: Path, attributes: dict[str, float], expected: Activation
) -> None:
    graph = formats.read(
        saved(tmp_path / "m.onnx", [("HardSigmoid", ["x"], ["y"], attributes)], {}, {"x": ["n", 4]}, ["y"])
    )
    assert graph.layers[-1].attributes["activation"] == expected


GATES: dict[str, tuple[dict[str, list[Any]], Activation, Activation]] = {
    "none-given": ({}, "sigmoid", "tanh"),
    "older-hard-sigmoid": ({"activations": ["HardSigmoid", "Tanh", "Tanh"]}, OLD_HARD_SIGMOID, "tanh"),
    "one-number-each": (
        {"activations": ["HardSigmoid", "LeakyRelu", "Tanh"], "activation_alpha": [0.25, 0.1]},
        ("hard_sigmoid", {"slope": 0.25, "offset": 0.5}),
        ("leaky_relu", {"slope": 0.1}),
    ),
    "today's": (
        {"activations": ["HardSigmoid", "Elu", "Tanh"], "activation_alpha": [1 / 6]},
        "hard_sigmoid",
        "elu",
    ),
}


@pytest.mark.parametrize(("attributes", "gates", "state"), GATES.values(), ids=GATES)
def test_the_activations_of_an_onnx_cell_have_their_numbers(
    tmp_path: Path, attributes: dict[str, list[Any]], gates: Activation, state: Activation
) -> None:
    tensors = {"w": np.zeros((1, 8, 4), "f4"), "r": np.zeros((1, 8, 2), "f4")}
    lstm: Op = ("LSTM", ["x", "w", "r"], ["y"], {"hidden_size": 2, **attributes})
    graph = formats.read(saved(tmp_path / "m.onnx", [lstm], tensors, {"x": [5, "n", 4]}, ["y"]))
    found = graph.layers[-1].attributes
    assert (found["recurrent_activation"], found["activation"]) == (gates, state)
