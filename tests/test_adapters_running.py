"""What adapters promise is run.

Functions that are kept, and transfers across architectures that Keras loads and that stay healthy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation:DeprecationWarning"
    ),  # TensorFlow under NumPy 2, while Keras saves
]
Build = Callable[[], Any]


def seeded(model: Any, seed: int) -> Any:
    """All values different, variances positive, so that nothing is right by chance."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        x = random.normal(size=variable.shape) * 0.3
        variable.assign(np.abs(x) + 0.5 if "variance" in variable.path else x)
    return model


def maps(
    width: int = 8, taps: int = 3, classes: int = 5, blocks: int = 1, flat: bool = False, channels: int = 3
) -> Any:
    """A stem, residual blocks, a depthwise layer, two branches that are concatenated, a head."""
    from keras import Model, layers

    def unit(x: Any, name: str, filters: int = width) -> Any:
        x = layers.Conv2D(filters, taps, padding="same", use_bias=False, name=f"{name}_conv")(x)
        return layers.BatchNormalization(name=f"{name}_bn")(x)

    inputs = layers.Input((8, 8, channels), name="image")
    x = layers.ReLU(name="stem_relu")(unit(inputs, "stem"))
    for n in range(blocks):
        y = unit(layers.ReLU(name=f"block{n}_relu")(unit(x, f"block{n}_a")), f"block{n}_b")
        x = layers.ReLU(name=f"block{n}_out")(layers.Add(name=f"block{n}_add")([x, y]))
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.Concatenate(name="joined")([unit(x, "left", width // 2), unit(x, "right", width)])
    x = layers.Flatten(name="flat")(x) if flat else layers.GlobalAveragePooling2D(name="pool")(x)
    return Model(inputs, layers.Dense(classes, name="head")(x))


def table(width: int) -> Any:
    from keras import Sequential, layers

    hidden = [layers.Dense(width, activation="tanh", name=f"hidden{n}") for n in range(2)]
    return Sequential(
        [layers.Input((5,)), *hidden, layers.LayerNormalization(name="norm"), layers.Dense(3, name="head")]
    )


def sequence(width: int) -> Any:
    from keras import Sequential, layers

    memory = layers.LSTM(width, return_sequences=True, name="memory"), layers.LSTM(width, name="last")
    return Sequential(
        [layers.Input((6,)), layers.Embedding(20, width, name="words"), *memory, layers.Dense(3, name="head")]
    )


def transferred(folder: Path, source: Any, target: Any, **options: Any) -> tuple[wb.Report, Any]:
    from keras.models import load_model

    source.save(folder / "source.keras")
    target.save(folder / "target.keras")
    report = wb.transfer(folder / "source.keras", folder / "target.keras", folder / "output.keras", **options)
    return report, load_model(folder / "output.keras", compile=False)


def outputs(model: Any, x: Any) -> Any:
    return np.asarray(model(x, training=False))


def inputs_of(model: Any, rows: int = 4) -> Any:
    shape = (rows, *model.input_shape[1:])
    embeds = model.layers[0].name == "words"
    return (
        np.random.default_rng(1).integers(0, 20, shape)
        if embeds
        else np.random.default_rng(1).normal(size=shape).astype("f4")
    )


KEPT = {
    "wider-evenly": (lambda: maps(8), lambda: maps(16)),
    "wider-unevenly": (lambda: maps(8), lambda: maps(14)),
    "larger-kernels": (lambda: maps(taps=3), lambda: maps(taps=5)),
    "wider-and-larger": (lambda: maps(8, taps=3), lambda: maps(20, taps=7)),
    "wider-behind-a-flatten": (lambda: maps(8, flat=True), lambda: maps(12, flat=True)),
    "deeper": (lambda: maps(blocks=1), lambda: maps(blocks=3)),
    "dense-wider-under-a-layer-norm": (lambda: table(6), lambda: table(12)),
    "recurrent-wider": (lambda: sequence(4), lambda: sequence(7)),
}


@pytest.mark.parametrize(("source", "target"), KEPT.values(), ids=KEPT.keys())
def test_preserving_means_that_the_outputs_are_kept(tmp_path: Path, source: Build, target: Build) -> None:
    given, wanted = seeded(source(), 0), seeded(target(), 1)
    x = inputs_of(given)
    expected, before = outputs(given, x), outputs(wanted, x)
    report, after = transferred(tmp_path, given, wanted)
    assert {record["status"] for record in report.verification.outputs} == {"equal"}
    assert {s.contract for s in report.plan.steps} <= {"bitwise", "preserving"}
    assert np.allclose(outputs(after, x), expected, rtol=1e-4, atol=1e-4)
    assert not np.allclose(before, expected, atol=1e-2)


def test_repeated_channels_get_different_gradients_and_so_do_not_stay_alike(tmp_path: Path) -> None:
    import tensorflow as tf

    _, after = transferred(tmp_path, seeded(table(3), 0), seeded(table(6), 1))
    x = inputs_of(after, 16)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(after(x) - 1.0))
    gradient = np.asarray(tape.gradient(loss, after.get_layer("hidden0").kernel))
    kernel = np.asarray(after.get_layer("hidden0").kernel)
    assert np.array_equal(kernel[:, 0], kernel[:, 1])
    assert not np.allclose(gradient[:, 0], gradient[:, 1], rtol=0.05)


LOST = {
    "narrower": (lambda: maps(16), lambda: maps(8)),
    "smaller-kernels": (lambda: maps(taps=5), lambda: maps(taps=3)),
    "fewer-input-channels": (lambda: maps(channels=3), lambda: maps(channels=1)),
}


@pytest.mark.parametrize(("source", "target"), LOST.values(), ids=LOST.keys())
def test_lossy_is_called_lossy_with_the_energy_kept(tmp_path: Path, source: Build, target: Build) -> None:
    report, after = transferred(tmp_path, seeded(source(), 0), seeded(target(), 1))
    lossy = [s for s in report.plan.steps if s.contract == "lossy"]
    assert all(s.energy_kept is not None and 0 < s.energy_kept <= 1 for s in lossy)
    assert min(s.energy_kept or 0 for s in lossy) < 0.9
    assert report.verification.evidence["claim"] != "equal"
    assert np.isfinite(outputs(after, inputs_of(after))).all()


def application(name: str, **options: Any) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return getattr(keras.applications, name)(weights=None, **options)


CROSSED = {
    "resnet50-inceptionv3": ("ResNet50", "InceptionV3", 96),
    "vgg16-resnet50": ("VGG16", "ResNet50", 64),
    "mobilenetv2-efficientnetb0": ("MobileNetV2", "EfficientNetB0", 64),
    "densenet121-mobilenet": ("DenseNet121", "MobileNet", 64),
}


@pytest.mark.slow
@pytest.mark.parametrize(("source", "target", "side"), CROSSED.values(), ids=CROSSED.keys())
def test_across_architectures_every_tensor_has_a_step_and_signals_are_healthy(
    tmp_path: Path, source: str, target: str, side: int
) -> None:
    given, wanted = (application(name, input_shape=(side, side, 3), classes=10) for name in (source, target))
    report, after = transferred(tmp_path, given, wanted, adapt="weights")
    steps = report.plan.steps
    assert [s.target for s in steps] == [t.name for t in wb.read(tmp_path / "target.keras").tensors]
    assert {s.kind for s in steps} <= {"adapt", "copy", "transform", "keep", "fresh"}
    assert all(s.cost and s.energy_kept is not None for s in steps if s.contract == "lossy")
    assert report.verification.evidence["claim"] != "equal"
    assert {f.code for f in report.findings} & {"WB302"}
    assert all(0.02 < spread < 50 for spread in spreads(after))


def spreads(model: Any) -> list[float]:
    """The standard deviation of what every normalisation writes, on noise.

    In the range of pixels where the model rescales them.
    """
    import keras

    named = [layer.output for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    rescales = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])) * (255 if rescales else 1)
    return [
        float(np.std(np.asarray(y))) for y in keras.Model(model.input, named)(x.astype("f4"), training=False)
    ]


@pytest.mark.slow
def test_a_deeper_member_of_a_family_computes_what_the_source_computes(tmp_path: Path) -> None:
    given, wanted = (
        application(name, input_shape=(32, 32, 3), classes=10) for name in ("ResNet50", "ResNet101")
    )
    report, after = transferred(tmp_path, given, wanted)
    x = inputs_of(given, 2)
    assert report.verdict == "pass"
    assert np.allclose(outputs(after, x), outputs(given, x), atol=1e-5)
