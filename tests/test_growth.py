"""Wider and deeper targets keep the function, and every tensor that was added can learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
Build = Callable[[], Any]


def unit(x: Any, width: int, size: int, name: str, **norm: Any) -> Any:
    from keras import layers

    x = layers.Conv2D(width, size, padding="same", use_bias=False, name=f"{name}_conv")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn", **norm)(x))


def vgg(counts: tuple[int, ...] = (2, 2), scale: int = 1, more: str = "") -> Any:
    from keras import Model, layers

    image = x = layers.Input((8, 8, 3), name="image")
    for stage, count in enumerate(counts):
        for n in range(count):
            x = unit(x, 8 * scale * (stage + 1), 3, f"stage{stage}_{n}", scale=more != "no scale")
        x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
    x = layers.Dense(12, activation="relu", name="fc1")(layers.GlobalAveragePooling2D(name="features")(x))
    x = layers.Dense(12, activation="relu", name="between")(x) if more == "dense" else x
    return Model(image, layers.Dense(5, name="head")(x))


def inception(scale: int = 1, more: bool = False) -> Any:
    from keras import Model, layers

    image = layers.Input((8, 8, 3), name="image")
    x = unit(image, 8 * scale, 3, "stem")
    a = unit(x, 6 * scale, 1, "a")
    b = unit(unit(x, 4 * scale, 1, "b1"), 6 * scale, 3, "b2")
    b = unit(b, 6 * scale, 3, "b3") if more else b
    x = layers.Concatenate(name="mixed")([a, b])
    x = unit(x, 12 * scale, 1, "behind") if more else x
    return Model(image, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D(name="features")(x)))


def residual(blocks: int = 1) -> Any:
    """Square layers behind activations in a branch: no identity may be put there."""
    from keras import Model, layers

    image = layers.Input((8, 8, 3), name="image")
    x = unit(image, 8, 3, "stem")
    for n in range(blocks):
        y = unit(x, 8, 3, f"block{n}_1")
        y = layers.BatchNormalization(name=f"block{n}_bn")(
            layers.Conv2D(8, 3, padding="same", name=f"block{n}_2")(y)
        )
        x = layers.ReLU(name=f"block{n}_out")(layers.Add(name=f"block{n}_add")([x, y]))
    return Model(image, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D(name="features")(x)))


def encoder(width: int = 8, heads: int = 2, size: int = 4, inner: int = 16, blocks: int = 2) -> Any:
    from keras import Model, layers

    steps = layers.Input((6, 3), name="steps")
    x = layers.Dense(width, name="project")(steps)
    for n in range(blocks):
        y = layers.LayerNormalization(name=f"layer_{n}_norm1")(x)
        y = layers.MultiHeadAttention(heads, size, name=f"layer_{n}_attention")(y, y)
        x = layers.Add(name=f"layer_{n}_sum1")([x, y])
        y = layers.LayerNormalization(name=f"layer_{n}_norm2")(x)
        y = layers.Dense(width, name=f"layer_{n}_down")(
            layers.Dense(inner, activation="gelu", name=f"layer_{n}_up")(y)
        )
        x = layers.Add(name=f"layer_{n}_sum2")([x, y])
    x = layers.GlobalAveragePooling1D(name="features")(layers.LayerNormalization(name="last_norm")(x))
    return Model(steps, layers.Dense(5, name="head")(x))


def filled(model: Any, seed: int) -> Any:
    """As after training: no scale is one and no shift is zero."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape, role = tuple(weight.shape), weight.path.rpartition("/")[2]
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.2
        value = random.normal(0, spread, shape)
        weight.assign(random.uniform(0.6, 1.4, shape) if role in ("gamma", "moving_variance") else value)
    return model


def silent_tensors(model: Any, x: Any) -> list[str]:
    """Those without a gradient in two steps of training."""
    import keras
    import tensorflow as tf

    random, largest = np.random.default_rng(0), dict[str, float]()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(2):
        with tf.GradientTape() as tape:
            value = loss(random.integers(0, 5, len(x)), model(x, training=True))
        slopes = tape.gradient(value, model.trainable_variables)
        for weight, given in zip(model.trainable_variables, slopes, strict=True):
            slope = tf.convert_to_tensor(given)  # an Embedding's comes by its rows
            largest[weight.path] = max(largest.get(weight.path, 0.0), float(tf.reduce_max(tf.abs(slope))))
            weight.assign_sub(0.05 * slope)
    return [path for path, slope in largest.items() if slope == 0.0]


CASES: dict[str, tuple[Build, Build]] = {
    "a chain of convolutions and norms, deeper": (vgg, lambda: vgg((3, 3))),
    "one layer more": (vgg, lambda: vgg((2, 3))),
    "norms without scale": (lambda: vgg(more="no scale"), lambda: vgg((3, 2), more="no scale")),
    "a dense layer more": (vgg, lambda: vgg(more="dense")),
    "wider": (vgg, lambda: vgg(scale=2)),
    "branches, wider": (inception, lambda: inception(2)),
    "branches, deeper": (inception, lambda: inception(more=True)),
    "residual blocks more": (residual, lambda: residual(3)),
    "attention of more heads": (encoder, lambda: encoder(heads=4)),
    "attention of longer keys": (encoder, lambda: encoder(size=6)),
    "a wider encoder": (encoder, lambda: encoder(width=16, heads=4, size=8, inner=32)),
    "a deeper encoder": (encoder, lambda: encoder(blocks=3)),
}


@pytest.mark.parametrize(("smaller", "larger"), CASES.values(), ids=CASES)
def test_growth_keeps_the_function_and_can_learn(smaller: Build, larger: Build) -> None:
    source, target = filled(smaller(), 1), filled(larger(), 2)
    x = np.random.default_rng(3).normal(0, 1, (8, *source.input_shape[1:])).astype("float32")
    report = wb.transfer(source, target, adapt="weights", evidence="quick")
    assert report.plan is not None
    assert {step.contract for step in report.plan.steps} <= {"bitwise", "preserving"}
    assert report.verification.mode == "actual"
    assert np.abs(np.asarray(source(x)) - np.asarray(target(x))).max() < 1e-4
    assert silent_tensors(target, x) == []


def reader(words: int = 11, blocks: int = 2) -> Any:
    from keras import Model, layers

    ids = layers.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(words, 8, name="tokens")(ids)
    for n in range(blocks):
        y = layers.LayerNormalization(name=f"h{n}_norm")(x)
        y = layers.Dense(8, name=f"h{n}_down")(layers.Dense(16, activation="gelu", name=f"h{n}_up")(y))
        x = layers.Add(name=f"h{n}_sum")([x, y])
    return Model(ids, layers.Dense(5, name="head")(layers.GlobalAveragePooling1D(name="features")(x)))


def test_a_deeper_network_of_more_words_gets_both() -> None:
    """Added blocks start as copies of others: they stand elsewhere, and are not in a wrong place."""
    source, target = filled(reader(), 1), filled(reader(17, 4), 2)
    report = wb.transfer(source, target, adapt="weights", evidence="quick")
    assert "WB402" not in {found.code for found in report.findings}
    ids = np.random.default_rng(3).integers(0, 11, (8, 6))
    assert np.abs(np.asarray(source(ids)) - np.asarray(target(ids))).max() < 1e-4


def test_a_plan_of_growth_survives_its_file(tmp_path: Any) -> None:
    source, target = filled(vgg(), 1), filled(vgg((3, 3), scale=1), 2)
    plan = wb.plan(source, target, adapt="weights")
    plan.save(tmp_path / "plan.json")
    wb.transfer(source, target, plan=tmp_path / "plan.json")
    x = np.random.default_rng(3).normal(0, 1, (4, 8, 8, 3)).astype("float32")
    assert np.abs(np.asarray(source(x)) - np.asarray(target(x))).max() < 1e-4


def test_one_layer_more_is_an_edit_unless_adapting_is_asked_for() -> None:
    report = wb.check(filled(vgg(), 1), filled(vgg((2, 3)), 2))
    assert "WB202" in {found.code for found in report.findings}


def test_an_activation_that_changes_the_values_is_no_place_for_an_identity() -> None:
    from keras import Model, layers

    def chain(more: bool) -> Any:
        image = layers.Input((4,), name="image")
        x = layers.Dense(6, activation="tanh", name="one")(image)
        x = layers.Dense(6, activation="tanh", name="two")(x) if more else x
        return Model(image, layers.Dense(3, name="head")(x))

    report = wb.check(filled(chain(False), 1), filled(chain(True), 2), adapt="weights")
    assert "WB202" in {found.code for found in report.findings}


def words(count: int, width: int = 6) -> Any:
    from keras import Model, layers

    ids = layers.Input((5,), dtype="int32", name="ids")
    x = layers.GlobalAveragePooling1D(name="mean")(layers.Embedding(count, width, name="tokens")(ids))
    return Model(ids, layers.Dense(3, name="head")(layers.Dense(6, activation="relu", name="mid")(x)))


def test_a_table_gains_rows_like_its_own() -> None:
    source, first, second = filled(words(400), 1), words(4000), words(4000)
    reports = [wb.transfer(source, target, adapt="weights") for target in (first, second)]
    old, new = (np.asarray(model.get_layer("tokens").embeddings) for model in (source, first))
    assert np.array_equal(new[:400], old)
    assert np.abs(new[400:].mean(0) - old.mean(0)).max() < 0.1 * old.std()
    assert np.abs(np.cov(new[400:].T) - np.cov(old.T)).max() < 0.1 * old.var()
    assert np.array_equal(new, np.asarray(second.get_layer("tokens").embeddings)), "nothing is left to chance"
    assert "WB302" in {found.code for found in reports[0].findings}


@pytest.mark.parametrize(("before", "after"), [(40, 30)], ids=["rows would be lost"])
def test_rows_are_never_dropped(before: int, after: int) -> None:
    report = wb.check(words(before), words(after), adapt="weights")
    assert "WB201" in {found.code for found in report.findings}
