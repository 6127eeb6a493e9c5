"""TensorFlow's functions between layers, computed by numpy as tf_keras computes them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weightbridge import formats
from weightbridge.errors import RunError
from weightbridge.formats.keras.evaluate.operations import TABLE
from weightbridge.formats.keras.evaluate.runner import runner

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]


def functions() -> dict[str, Callable[[Any], Any]]:
    import tensorflow as tf

    return {
        "arithmetic": lambda x: (x + 1.0) * 2.0 - x / 3.0,
        "number-first": lambda x: 1.0 - x,
        "power": lambda x: tf.pow(x, 2.0),
        "concatenated": lambda x: tf.concat([x, x * 2], -1),
        "by-keyword": lambda x: tf.concat(values=[x, x], axis=1),
        "mean": lambda x: tf.reduce_mean(x, axis=[1], keepdims=True),
        "sum": lambda x: tf.math.reduce_sum(x, -1),
        "reshaped": lambda x: tf.reshape(x, (-1, 30)),
        "transposed": lambda x: tf.transpose(x, [0, 2, 1]),
        "sliced": lambda x: x[:, 1:, ::2],
        "one-step": lambda x: x[:, 0],
        "axes": lambda x: tf.squeeze(tf.expand_dims(x, 1), 1),
        "product": lambda x: tf.matmul(x, x, transpose_b=True),
        "relu": tf.nn.relu,
        "gelu": tf.nn.gelu,
        "leaky": lambda x: tf.nn.leaky_relu(x, 0.1),
        "softmax": lambda x: tf.nn.softmax(x, axis=1),
        "stacked": lambda x: tf.stack([x, x], axis=2),
        "unit": lambda x: tf.math.l2_normalize(x, axis=-1),
        "clipped": lambda x: tf.clip_by_value(x, -0.5, 0.5),
        "where": lambda x: tf.where(x > 0, x, x * 0.1),
        "cast": lambda x: tf.cast(x > 0, "float32"),
        "roots": lambda x: tf.abs(x) + tf.sqrt(tf.square(x) + 1e-3),
        "gated": lambda x: tf.sigmoid(x) * tf.tanh(x),
        "extremes": lambda x: tf.maximum(x, 0.1) + tf.minimum(x, x * 2.0),
        "tiled": lambda x: tf.tile(x, [1, 2, 1]),
        "padded": lambda x: tf.pad(x, [[0, 0], [1, 1], [0, 0]]),
        "swish": tf.nn.swish,
        "added": lambda x: tf.add_n([x, x]),
    }


def model_of(function: Callable[[Any], Any], path: Path) -> Any:
    older: Any = pytest.importorskip("tf_keras")
    older.backend.clear_session()
    given = older.layers.Input((6, 5))
    model = older.Model(given, function(older.layers.Dense(5)(given)))
    model.save(path)
    return model


def test_every_function_computes_what_tf_keras_does(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    wrong = {}
    for name, function in functions().items():
        path = tmp_path / f"{name}.h5"
        expected = model_of(function, path).predict(x, verbose=0)
        own = runner(formats.read(path))
        (found,) = own.run({own.inputs[0].name: x}).values()
        if found.shape != expected.shape or not np.abs(found - expected).max() < 1e-6:
            wrong[name] = found.shape
    assert not wrong


def test_a_function_that_is_not_known_is_named(tmp_path: Path) -> None:
    import tensorflow as tf

    model_of(tf.math.bessel_i0, tmp_path / "m.h5")
    assert "bessel_i0" not in TABLE
    with pytest.raises(RunError, match="bessel_i0"):
        runner(formats.read(tmp_path / "m.h5"))
