"""Old Keras models computed by numpy: formulas by hand, and tf_keras where it is installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES
from test_convert import CONVERTED

from weightbridge import formats
from weightbridge.errors import RunError
from weightbridge.formats.keras.evaluate.plain import FUNCTIONS as PLAIN
from weightbridge.formats.keras.evaluate.recurrent import FUNCTIONS as RECURRENT
from weightbridge.formats.keras.evaluate.runner import runner
from weightbridge.formats.keras.evaluate.values import Given
from weightbridge.formats.keras.evaluate.windows import FUNCTIONS as WINDOWS

RNG = np.random.default_rng(7)
X = RNG.normal(size=(2, 7, 6, 4))


def computed(class_name: str, x: np.ndarray, config: dict[str, Any], **weights: np.ndarray) -> np.ndarray:
    function = {**PLAIN, **WINDOWS, **RECURRENT}[class_name]
    return np.asarray(function(Given(class_name, config, [x], weights, {})))


def test_a_grouped_convolution_is_one_for_each_group() -> None:
    kernel = RNG.normal(size=(3, 2, 2, 6))
    config = {"padding": "same", "strides": [2, 1]}
    both = computed("Conv2D", X, {**config, "groups": 2}, kernel=kernel)
    halves = [
        computed("Conv2D", X[..., 2 * i : 2 * i + 2], config, kernel=kernel[..., 3 * i : 3 * i + 3])
        for i in (0, 1)
    ]
    np.testing.assert_allclose(both, np.concatenate(halves, -1))


def test_a_causal_convolution_sees_no_later_step() -> None:
    kernel, x = RNG.normal(size=(3, 4, 2)), X[:, :, 0]
    config = {"padding": "causal", "dilation_rate": [2]}
    changed = x.copy()
    changed[:, 4:] += 1
    one, other = (computed("Conv1D", a, config, kernel=kernel) for a in (x, changed))
    assert one.shape == (2, 7, 2)
    np.testing.assert_array_equal(one[:, :4], other[:, :4])
    assert (one[:, 4:] != other[:, 4:]).all()


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_transposed_convolution_is_the_adjoint_of_a_convolution(padding: str) -> None:
    kernel, y = RNG.normal(size=(3, 3, 4, 5)), RNG.normal(size=(2, 3, 3, 5))
    config = {"padding": padding, "strides": [2, 2]}
    x = RNG.normal(size=(2, 7, 7, 4) if padding == "valid" else (2, 6, 6, 4))
    forward = (computed("Conv2D", x, config, kernel=kernel) * y).sum()
    back = (computed("Conv2DTranspose", y, config, kernel=kernel) * x).sum()
    np.testing.assert_allclose(forward, back)


def test_padding_is_no_part_of_an_average() -> None:
    config = {"pool_size": [3, 3], "strides": [1, 1], "padding": "same"}
    np.testing.assert_allclose(computed("AveragePooling2D", np.ones((1, 4, 4, 1)), config), 1)


def test_channels_first_is_the_same_turned() -> None:
    kernel = RNG.normal(size=(3, 3, 4, 2))
    first = computed("Conv2D", np.moveaxis(X, -1, 1), {"data_format": "channels_first"}, kernel=kernel)
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), computed("Conv2D", X, {}, kernel=kernel))


def test_a_masked_step_keeps_the_state() -> None:
    x, kernel, recurrent = RNG.normal(size=(1, 5, 3)), RNG.normal(size=(3, 8)), RNG.normal(size=(2, 8))
    weights = {"kernel": kernel, "recurrent_kernel": recurrent}
    mask = np.array([[True, True, False, True, False]])
    one = RECURRENT["LSTM"](Given("LSTM", {}, [x], weights, {}, mask))
    other = RECURRENT["LSTM"](Given("LSTM", {}, [x[:, [0, 1, 3]]], weights, {}))
    np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_resets_before_or_after(reset_after: bool) -> None:
    """With a recurrent kernel of zeros the first step is the same; with others the second is not."""
    x, kernel = RNG.normal(size=(1, 2, 3)), RNG.normal(size=(3, 6))
    config = {"reset_after": reset_after}
    zeros = computed("GRU", x, config, kernel=kernel, recurrent_kernel=np.zeros((2, 6)))
    plain = computed("GRU", x, config, kernel=kernel, recurrent_kernel=RNG.normal(size=(2, 6)))
    assert not np.allclose(zeros, plain)


def test_what_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(RunError, match="not computed here"):
        runner(formats.read(FIXTURES / "keras2" / "lambda.h5"))


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CONVERTED)
def test_it_is_what_tf_keras_computes(name: str) -> None:
    pytest.importorskip("tf_keras")
    from weightbridge.formats.keras.framework.runs import older

    path = Path(FIXTURES / "keras2" / name)
    ours, theirs = runner(formats.read(path), "float64"), older.runner(path, "float64")
    feeds = [fed(spec) for spec in theirs.inputs]
    results = [
        list(one.run(dict(zip((spec.name for spec in one.inputs), feeds, strict=True))).values())
        for one in (ours, theirs)
    ]
    for mine, reference in zip(*results, strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-11, atol=1e-12)


def fed(spec: Any) -> np.ndarray:
    shape = [2 if place == 0 else n or 5 for place, n in enumerate(spec.shape)]
    return RNG.integers(0, spec.vocabulary, shape) if spec.vocabulary else RNG.normal(size=shape)
