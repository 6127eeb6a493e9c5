"""Three small Keras models that tests export to formats of TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np


def images() -> Any:
    from keras import Model, layers

    x = image = layers.Input((12, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    y = layers.Conv2D(8, 3, dilation_rate=2, padding="same", activation="tanh")(y)
    x = layers.MaxPooling2D(2)(layers.Add()([x, y]))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Multiply()([x, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(layers.LeakyReLU(0.1)(x))
    x = layers.AveragePooling2D(3, 2, padding="same")(layers.ZeroPadding2D(((1, 2), (0, 1)))(x))
    x = layers.Dense(12, activation="relu")(layers.Flatten()(x))
    return Model(image, layers.Dense(7, activation="softmax")(x), name="images")


def words() -> Any:
    from keras import Model, layers

    text = layers.Input((12,), dtype="int32")
    x = layers.LayerNormalization()(layers.Embedding(50, 8)(text))
    x = layers.GlobalAveragePooling1D()(layers.Dense(6, activation="relu")(x))
    return Model(text, layers.Dense(2, activation="sigmoid")(x), name="words")


def series() -> Any:
    from keras import Model, layers

    x = steps = layers.Input((32, 4))
    x = layers.MaxPooling1D(2)(layers.Conv1D(8, 5, padding="same", activation="relu")(x))
    x = layers.GlobalMaxPooling1D()(layers.Conv1D(6, 3, dilation_rate=2, padding="causal")(x))
    return Model(steps, layers.Dense(3)(x), name="series")


MODELS: dict[str, Callable[[], Any]] = {"images": images, "words": words, "series": series}


def made(name: str) -> Any:
    """The model with seeded weights, none of them what layers begin with."""
    model, rng = MODELS[name](), np.random.default_rng(3)
    for weight in model.weights:
        values = rng.normal(size=weight.shape) * 0.3
        is_positive = "variance" in weight.path or "gamma" in weight.path
        weight.assign(np.abs(values) + 0.5 if is_positive else values)
    return model
