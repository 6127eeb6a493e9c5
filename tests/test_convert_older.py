"""convert: what Keras 3 says otherwise computes the same after it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from older_models import ALL
from test_convert import converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]

OF_ITS_OWN = ("convlstm", "slashes")  # the default of the one was hard_sigmoid


@pytest.fixture(scope="module")
def older() -> Any:
    return pytest.importorskip("tf_keras")


def saved(older: Any, name: str, path: Path) -> Path:
    """The model with weights that are far from symmetric, and statistics that are far from 0 and 1."""
    model, rng = ALL[name](older, older.layers), np.random.default_rng(5)
    weights = [rng.normal(0.3, 0.6, w.shape).astype(w.dtype) for w in model.get_weights()]
    names = [weight.name for weight in model.weights]
    model.set_weights([abs(w) + 0.1 if "variance" in n else w for n, w in zip(names, weights, strict=True)])
    model.save(path)
    return path


@pytest.mark.parametrize("name", ALL)
def test_it_computes_the_same(name: str, older: Any, tmp_path: Path) -> None:
    source = saved(older, name, tmp_path / "old.h5")
    code, report = converted(source, tmp_path / "new.keras")
    verification = report["verification"]
    assert (code, verification["mode"]) == (0, "actual"), report["findings"]
    assert verification["evidence"]["reference"] == "tf_keras"
    assert (
        report["coverage"]["copied"] + report["coverage"]["transformed"] == report["coverage"]["parameters"]
    )
    is_said = "hard_sigmoid" in " ".join(finding["message"] for finding in report["findings"])
    assert is_said == (name.startswith("hard-sigmoid") or name in OF_ITS_OWN)


def test_an_architecture_apart_is_run_by_the_keras_that_wrote_it(older: Any, tmp_path: Path) -> None:
    """ConvLSTM is none of the layers that weightbridge computes itself."""
    model = ALL["convlstm"](older, older.layers)
    weights, architecture = tmp_path / "old.h5", tmp_path / "old.json"
    model.save_weights(weights)
    architecture.write_text(model.to_json())
    code, report = converted(weights, tmp_path / "new.keras", "--architecture", str(architecture))
    assert (code, report["verification"]["evidence"]["reference"]) == (0, "tf_keras"), report["findings"]


def functions(older: Any) -> Any:
    """TensorFlow functions in a functional model, which tf.keras keeps as layers."""
    import tensorflow as tf

    x, z = older.Input((6, 8)), older.Input((6, 8))
    y = 1.0 - (2.0 * (x + z) - 1.5) / 3.0
    y = tf.transpose(tf.reshape(tf.concat([y, x], axis=-1), [-1, 6, 4, 4]), [0, 2, 1, 3])
    q = tf.nn.relu(tf.reduce_mean(x, axis=1, keepdims=True)) * tf.sigmoid(
        tf.reduce_max(z, axis=1, keepdims=True)
    )
    q = tf.nn.softmax(tf.sqrt(tf.math.pow(tf.expand_dims(tf.squeeze(q, 1), 1), 2.0) + 1e-3), axis=-1)
    r = tf.clip_by_value(tf.nn.gelu(tf.matmul(x, z, transpose_b=True)), -1.0, 1.0)
    r = tf.tile(
        tf.math.maximum(tf.abs(-tf.stack([tf.math.l2_normalize(r, axis=-1), r], axis=1)), 0.1), [1, 2, 1, 1]
    )
    first, second = tf.split(x, [3, 5], axis=-1)
    padded = tf.pad(x, [[0, 0], [1, 1], [0, 0]])
    resized = tf.image.resize(x[..., tf.newaxis], (12, 16))
    ends = [
        y[:, 1:3, ..., 0],
        x[:, -1],
        x[:, ::2],
        q,
        r,
        first,
        second,
        padded,
        resized,
        tf.nn.leaky_relu(x, 0.1),
    ]
    return older.Model([x, z], [*ends, tf.reduce_sum(x, [1, 2]), tf.cast(x > 0.0, "float32")])


def test_tensorflow_functions_become_operations(older: Any, tmp_path: Path) -> None:
    functions(older).save(tmp_path / "old.h5")
    code, report = converted(tmp_path / "old.h5", tmp_path / "new.keras")
    assert code in (0, 3)  # there is no weight to move: nothing can be shuffled
    outputs = report["verification"]["outputs"]
    assert len(outputs) > 70
    assert not [output for output in outputs if output["status"] in ("differs", "non-finite")]


def test_a_function_without_a_counterpart_is_refused_by_name(older: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    x = older.Input((6,))
    older.Model(x, tf.math.bessel_i0e(x)).save(tmp_path / "old.h5")
    code, report = converted(tmp_path / "old.h5", tmp_path / "new.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert "bessel_i0e" in report["findings"][0]["message"]


def test_the_cell_state_of_an_lstm_cannot_be_scaled(older: Any, tmp_path: Path) -> None:
    """Its activation reads the state too, which no weight can scale."""
    older.Sequential([older.Input((5, 3)), older.layers.LSTM(4, activation="hard_sigmoid")]).save(
        tmp_path / "old.h5"
    )
    code, report = converted(tmp_path / "old.h5", tmp_path / "new.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert not (tmp_path / "new.keras").exists()
