"""What runs on each of Keras's backends: KERAS_BACKEND chooses the one that these tests run on."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [
    pytest.mark.framework,
    pytest.mark.backend,
    pytest.mark.filterwarnings("ignore"),  # each backend warns of other things
]

RUN = "from weightbridge.cli import main; main()"


def filled(model: Any, seed: int) -> Any:
    random = np.random.default_rng(seed)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path or "gamma" in weight.path else -0.6
        weight.assign(random.uniform(low, low + 1.2, tuple(weight.shape)))
    return model


def convolutional(size: int = 8) -> Any:
    import keras

    layers = keras.layers
    image = layers.Input((size, size, 2), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="head")(x))


def recurrent() -> Any:
    import keras

    x = keras.layers.Input((None, 3))
    y = keras.layers.LSTM(4, name="long")(x)
    return keras.Model(x, keras.layers.Dense(2, name="head")(y))


def subclassed() -> Any:
    import keras

    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = keras.layers.Dense(4, name="one"), keras.layers.Dense(2, name="two")

        def call(self, x: Any) -> Any:
            return self.two(self.one(x))

    model = Network()
    model(np.zeros((1, 4), "float32"))
    return model


@pytest.mark.parametrize("build", [convolutional, recurrent], ids=["convolutional", "recurrent"])
def test_files_are_transferred_and_run(build: Callable[[], Any], tmp_path: Path) -> None:
    filled(build(), 1).save(tmp_path / "s.keras")
    filled(build(), 2).save(tmp_path / "t.keras")
    output = tmp_path / "o.keras"
    report = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=output, evidence="quick")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")
    assert "float64" in report.verification.evidence["floor"]


@pytest.mark.parametrize("build", [convolutional, subclassed], ids=["functional", "subclassed"])
def test_live_models_get_the_weights(build: Callable[[], Any]) -> None:
    source, target = filled(build(), 1), filled(build(), 2)
    report = wb.transfer(source, target, evidence="quick")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")
    assert all(map(np.array_equal, source.get_weights(), target.get_weights()))


def test_another_size_runs_on_a_common_one(tmp_path: Path) -> None:
    filled(convolutional(8), 1).save(tmp_path / "s.keras")
    report = wb.transfer(tmp_path / "s.keras", filled(convolutional(11), 2), evidence="quick")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")


def test_a_fault_is_noticed(tmp_path: Path) -> None:
    model = filled(convolutional(), 1)
    model.save(tmp_path / "s.keras")
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel, bias + 0.01])
    model.save(tmp_path / "t.keras")
    report = wb.verify(tmp_path / "s.keras", tmp_path / "t.keras", evidence="quick")
    assert (report.verdict, [f.code for f in report.findings]) == ("fail", ["WB401"])


def test_features_and_stitching(tmp_path: Path) -> None:
    import keras

    filled(convolutional(), 1).save(tmp_path / "s.keras")
    features = wb.features(tmp_path / "s.keras", "pool", tmp_path / "f.keras")
    assert tuple(features.output_shape) == (None, 4)
    stitched = wb.stitch(tmp_path / "s.keras", "first", tmp_path / "s.keras", "norm")
    result = stitched(np.zeros((1, 8, 8, 2), "float32"))
    assert keras.ops.convert_to_numpy(result).shape == (1, 3)


def test_statistics_come_from_inputs(tmp_path: Path) -> None:
    import keras

    model = filled(convolutional(), 1)
    x = np.random.default_rng(0).normal(1, 2, (40, 8, 8, 2)).astype("float32")
    report = wb.recalibrate(model, calibrate=x)
    assert [one["layer"] for one in report.verification.evidence["recalibrated"]] == ["norm"]
    given = keras.ops.convert_to_numpy(keras.Model(model.input, model.get_layer("first").output)(x))
    norm = model.get_layer("norm")
    rows = given.reshape(-1, 4).astype("float64")
    assert np.allclose(keras.ops.convert_to_numpy(norm.moving_mean), rows.mean(0), atol=1e-5)
    assert np.allclose(keras.ops.convert_to_numpy(norm.moving_variance), rows.var(0), rtol=1e-4)
    wb.recalibrate(model, tmp_path / "o.keras", calibrate=x)
    again = keras.models.load_model(tmp_path / "o.keras")
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))


def test_advice_and_what_carries_it_out() -> None:
    import keras

    from weightbridge.keras import L2SP, DiscriminativeRates, GradualUnfreezing

    model = filled(convolutional(), 1)
    random, y = np.random.default_rng(0), np.arange(60) % 3
    x = (random.normal(0, 1, (60, 8, 8, 2)) + y[:, None, None, None]).astype("float32")
    advice = wb.advise(model, data={"x": x, "y": y})
    assert [cut["cut"] for cut in advice.verification.evidence["advice"]["cuts"]][-1] == "pool"
    assert wb.freeze(model, advice) == ("first", "norm")
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    callbacks = [
        GradualUnfreezing(advice, patience=1, min_delta=9.0),
        DiscriminativeRates(advice),
        L2SP(advice),
    ]
    before = model.get_weights()
    model.fit(x, y, epochs=5, validation_data=(x, y), callbacks=callbacks, verbose=0)
    assert callbacks[0].unfrozen == [(0, 1), (2, 2)]
    assert not any(map(np.array_equal, before, model.get_weights()))


def branched() -> Any:
    """Another architecture for the same images: branches, a depthwise kernel, a norm without scale."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = layers.Input((8, 8, 2), name="image")
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="entry")(image)
    y = layers.DepthwiseConv2D(3, padding="same", name="deep")(x)
    y = layers.Conv2D(5, 1, activation="relu", name="point")(y)
    z = layers.BatchNormalization(scale=False, name="middle")(layers.Conv2D(3, 3, padding="same")(x))
    x = layers.Concatenate(name="joined")([y, layers.ReLU()(z)])
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(3, activation="softmax", name="classes")(x))


def test_another_architecture_is_fitted(tmp_path: Path) -> None:
    import keras

    x = np.random.default_rng(0).standard_normal((80, 8, 8, 2)).astype("float32")
    source, target = filled(convolutional(), 1), branched()
    target.save(tmp_path / "t.keras")
    fit = {"adapt": "fit", "calibrate": {"x": x}, "evidence": "quick"}
    report = wb.transfer(source, target, **fit)
    assert report.verdict == "warn"
    arms = report.verification.evidence["fit"]["arms"]
    assert arms[0]["logit_r2"] > max(0.5, *(arm["logit_r2"] for arm in arms[1:]))
    source.save(tmp_path / "s.keras")
    again = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", tmp_path / "o.keras", **fit)
    assert again.verification.evidence["fit"] == report.verification.evidence["fit"]
    written = keras.models.load_model(tmp_path / "o.keras")
    assert all(map(np.array_equal, target.get_weights(), written.get_weights()))


@pytest.mark.parametrize("backend", ["tensorflwo", "mxnet"])
def test_an_unknown_backend_is_a_usage_error(backend: str, tmp_path: Path) -> None:
    filled(convolutional(), 1).save(tmp_path / "s.keras")
    command = [sys.executable, "-c", RUN, "verify", "s.keras", "s.keras"]
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"KERAS_BACKEND is '{backend}'" in done.stderr
    assert "tensorflow, torch, jax" in done.stderr


def test_training_starts_from_a_transfer_alone(tmp_path: Path) -> None:
    import keras

    from weightbridge.errors import VerdictError
    from weightbridge.keras import RequireTransfer

    filled(convolutional(), 1).save(tmp_path / "source.keras")
    target = filled(convolutional(), 2)
    target.save(tmp_path / "target.keras")
    report = wb.transfer(tmp_path / "source.keras", tmp_path / "target.keras", tmp_path / "out.keras")
    loaded = keras.models.load_model(tmp_path / "out.keras")
    in_place = wb.transfer(tmp_path / "source.keras", target)
    x, y = np.random.default_rng(3).random((4, 8, 8, 2), "f4"), np.eye(3, dtype="f4")[[0, 1, 2, 0]]
    for model, told in ((loaded, report), (target, in_place)):
        model.compile("sgd", "categorical_crossentropy")
        model.fit(x, y, verbose=0, callbacks=[RequireTransfer(told)])
        before = [np.array(weight) for weight in model.get_weights()]
        with pytest.raises(VerdictError, match="Training was not started") as raised:
            model.fit(x, y, verbose=0, callbacks=[RequireTransfer(told)])
        assert "first/kernel" in str(raised.value)
        assert all(map(np.array_equal, before, model.get_weights()))
