"""Small networks of seven families for 8x8 images, as their papers draw them."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

SHAPE, CLASSES = (8, 8, 1), 10


def unit(x: Any, width: int, kernel: int, stride: int = 1, activation: str | None = "relu") -> Any:
    """Convolution, BatchNorm, activation."""
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x) if activation else x


def resnet(x: Any) -> Any:
    x = unit(x, 16, 3)
    for width, stride in ((16, 1), (32, 2), (48, 1)):
        y = unit(unit(x, width, 3, stride), width, 3, activation=None)
        x = x if x.shape[1:] == y.shape[1:] else unit(x, width, 1, stride, activation=None)
        x = layers.ReLU()(layers.Add()([x, y]))
    return x


def vgg(x: Any) -> Any:
    for width in (16, 24):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    for width in (32, 48):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
    return x


def inception(x: Any) -> Any:
    x = unit(x, 16, 3)
    for n, (one, reduce, three, five, pool) in enumerate(((8, 8, 12, 6, 6), (16, 12, 24, 12, 12))):
        x = layers.MaxPooling2D(2)(x) if n else x
        b = unit(unit(x, reduce, 1), three, 3)
        c = unit(unit(unit(x, reduce // 2, 1), five, 3), five, 3)
        d = unit(layers.AveragePooling2D(3, 1, "same")(x), pool, 1)
        x = layers.Concatenate()([unit(x, one, 1), b, c, d])
    return x


def densenet(x: Any) -> Any:
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(x)
    for n in range(2):
        x = layers.AveragePooling2D(2)(unit(x, 24, 1)) if n else x
        for _ in range(3):
            y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
            y = unit(y, 24, 1)
            x = layers.Concatenate()([x, layers.Conv2D(8, 3, padding="same", use_bias=False)(y)])
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def mobilenet(x: Any, activation: str = "relu6", *, has_gates: bool = False) -> Any:
    x = unit(x, 16, 3, activation=activation)
    for width, stride in ((16, 1), (24, 2), (24, 1), (40, 1)):
        y = unit(x, 4 * x.shape[-1], 1, activation=activation)
        y = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(y)
        y = layers.Activation(activation)(layers.BatchNormalization(momentum=0.9)(y))
        if has_gates:
            gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
            gate = layers.Conv2D(x.shape[-1] // 4, 1, activation="swish")(gate)
            y = layers.Multiply()([y, layers.Conv2D(y.shape[-1], 1, activation="sigmoid")(gate)])
        y = unit(y, width, 1, activation=None)
        x = layers.Add()([x, y]) if x.shape[1:] == y.shape[1:] else y
    return unit(x, 64, 1, activation=activation)


def efficientnet(x: Any) -> Any:
    return mobilenet(x, "swish", has_gates=True)


def convnext(x: Any) -> Any:
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Conv2D(16, 3, padding="same")(x))
    for n, width in enumerate((16, 32)):
        x = layers.Conv2D(width, 2, strides=2)(layers.LayerNormalization(epsilon=1e-6)(x)) if n else x
        for _ in range(2):
            y = layers.DepthwiseConv2D(3, padding="same")(x)
            y = layers.LayerNormalization(epsilon=1e-6)(y)
            y = layers.Dense(width)(layers.Dense(4 * width, activation="gelu")(y))
            x = layers.Add()([x, y])
    return x


FAMILIES: dict[str, Callable[[Any], Any]] = {
    one.__name__: one for one in (resnet, vgg, inception, densenet, mobilenet, efficientnet, convnext)
}


def network(family: str, seed: int, shape: tuple[int, int, int] = SHAPE) -> Any:
    """With logits, and layers that are named in order."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    image = layers.Input(shape)
    x = layers.GlobalAveragePooling2D()(FAMILIES[family](image))
    if family == "convnext":
        x = layers.LayerNormalization(epsilon=1e-6)(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x), name=family)
