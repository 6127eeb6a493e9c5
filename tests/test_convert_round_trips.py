"""Keras -> ONNX -> Keras -> ONNX: the same nodes and layers again, and every weight still learns."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import chain
from test_convert import classes_of, converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


def images() -> Any:
    from keras import layers as k

    return chain(
        (8, 8, 4),
        k.Conv2D(8, 3, groups=2, padding="same"),
        k.GroupNormalization(4),
        k.PReLU(shared_axes=[1, 2]),
        k.DepthwiseConv2D(3),
        k.BatchNormalization(),
        k.UpSampling2D(2),
        k.MaxPooling2D(),
        k.Conv2DTranspose(4, 3, strides=2, padding="same"),
        k.GlobalAveragePooling2D(),
        k.Dense(3),
    )


def sequences() -> Any:
    from keras import Input, Model
    from keras import layers as k

    words = Input((6,), dtype="int32")
    x = k.Embedding(9, 8)(words)
    y = k.MultiHeadAttention(2, 3)(k.LayerNormalization()(x), x, use_causal_mask=True)
    x = k.RMSNormalization()(k.Add()([x, y]))
    x = k.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")(x)
    x = k.EinsumDense("abde,def->abf", output_shape=(None, 5))(x)
    x = k.Bidirectional(k.LSTM(3, return_sequences=True))(x)
    return Model(words, k.Dense(2)(k.GRU(4)(x)))


@pytest.fixture
def float64() -> Iterator[None]:
    from keras import config

    config.set_dtype_policy("float64")
    yield
    config.set_dtype_policy("float32")


def randomised(model: Any) -> Any:
    generator = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(np.abs(generator.normal(size=weight.shape)) * 0.4 + 0.1)
    return model


def there_and_back(model: Any, folder: Path) -> list[Path]:
    paths = [folder / name for name in ("a.keras", "a.onnx", "b.keras", "b.onnx")]
    randomised(model).save(paths[0])
    for source, target in pairwise(paths):
        how = ("--evidence", "quick") if target.name == "b.keras" else ("--no-verify",)
        code, report = converted(source, target, *how)
        assert code == 0, report["findings"]
    return paths


def nodes(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def layers(path: Path) -> Counter[str]:
    found = Counter(classes_of(path))
    return found if "InputLayer" in found else found + Counter(["InputLayer"])  # a Sequential hides it


@pytest.mark.parametrize("build", [images, sequences], ids=["images", "sequences"])
def test_nodes_and_layers_are_the_same_again(build: Any, tmp_path: Path) -> None:
    first, first_onnx, second, second_onnx = there_and_back(build(), tmp_path)
    assert nodes(first_onnx) == nodes(second_onnx)
    assert layers(first) == layers(second)


@pytest.mark.parametrize("build", [images, sequences], ids=["images", "sequences"])
def test_every_weight_has_a_gradient(build: Any, float64: None, tmp_path: Path) -> None:
    import tensorflow as tf
    from keras import saving

    randomised(build()).save(tmp_path / "a.keras")
    for source, target in (("a.keras", "a.onnx"), ("a.onnx", "b.keras")):
        assert converted(tmp_path / source, tmp_path / target, "--no-verify")[0] == 0
    model = saving.load_model(tmp_path / "b.keras")
    generator = np.random.default_rng(1)
    shape = (2, *model.inputs[0].shape[1:])
    fed = generator.integers(0, 9, shape) if len(shape) == 2 else generator.normal(size=shape)
    with tf.GradientTape() as tape:
        made = model(fed, training=False)
        loss = tf.reduce_sum(made * generator.normal(size=made.shape))
    weights = model.trainable_weights
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    largest = [np.max(np.abs(tf.convert_to_tensor(gradient))) for gradient in gradients]
    assert [weight.path for weight, size in zip(weights, largest, strict=True) if size == 0] == []
    assert {weight.path: weight.dtype for weight in weights if weight.dtype != "float64"} == {}


def test_a_norm_over_channels_and_one_axis_of_space_is_no_group_norm(tmp_path: Path) -> None:
    from keras import layers as k

    model = chain((8, 8, 4), k.Conv2D(4, 3), k.LayerNormalization(axis=[-2, -1]), k.Dense(3))
    randomised(model).save(tmp_path / "a.keras")
    assert converted(tmp_path / "a.keras", tmp_path / "a.onnx", "--no-verify")[0] == 0
    code, report = converted(tmp_path / "a.onnx", tmp_path / "b.keras", "--no-verify")
    assert code == 4
    assert "normalises over the axes [1, 3]" in report["findings"][0]["message"]
