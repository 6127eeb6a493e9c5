"""The small Keras networks of `weightbridge demo` and of the examples, and what is done with them."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from weightbridge.formats.keras.framework import assign
from weightbridge.model.tensors import Array

INCEPTION = ((8, 8, 16, 4, 8, 8), (16, 12, 24, 6, 12, 12))


def resnet(
    shape: tuple[int, ...], classes: int, seed: int, widths: tuple[int, ...] = (16, 32), blocks: int = 2
) -> Any:
    """A residual network: a stem, then `blocks` blocks of each width.

    The first block of every width but the first has stride 2.
    """
    keras.utils.set_random_seed(seed)
    image = layers.Input(shape, name="image")
    x = _unit(image, widths[0], 3, "stem")
    for stage, width in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = _residual(x, width, stride, f"stage{stage + 1}_block{block + 1}")
    return _classifier(image, x, classes, "resnet")


def inception(shape: tuple[int, ...], classes: int, seed: int) -> Any:
    """An Inception network: a stem and two modules of four branches, a max-pool between them."""
    keras.utils.set_random_seed(seed)
    image = layers.Input(shape, name="image")
    x = _unit(image, 16, 3, "entry")
    for i, widths in enumerate(INCEPTION):
        x = layers.MaxPooling2D(2, name=f"pool{i}")(x) if i else x
        x = _mixed(x, widths, f"mixed{i}")
    return _classifier(image, x, classes, "inception")


def renamed(model: Any, seed: int) -> Any:
    """The same architecture with fresh weights, in which every layer has another name."""
    keras.utils.set_random_seed(seed)
    numbers = {layer.name: n for n, layer in enumerate(model.layers)}
    return keras.models.clone_model(
        model, clone_function=lambda layer: _called(layer, f"layer_{numbers[layer.name]}")
    )


def train(model: Any, x: Array, y: Array, epochs: int, seed: int, rate: float = 2e-3) -> None:
    """Adam on cross entropy with a cosine decay, in batches of 50."""
    keras.utils.set_random_seed(seed)
    random = np.random.default_rng(seed)
    order = np.concatenate([random.permutation(len(x)) for _ in range(epochs)])
    decay = keras.optimizers.schedules.CosineDecay(rate, -(-len(order) // 50))
    if not _is_compiled_for(model, decay):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(decay), loss, jit_compile=False)
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    for start in range(0, len(order), 50):
        model.train_on_batch(x[order[start : start + 50]], y[order[start : start + 50]])


def accuracy(model: Any, x: Array, y: Array) -> float:
    """The share of x whose largest logit is that of its label."""
    return float((outputs(model, x).argmax(axis=-1) == y).mean())


def outputs(model: Any, x: Array, layer: str = "") -> Array:
    """The model's output, or that of one of its layers, in inference mode."""
    cut = keras.Model(model.input, model.get_layer(layer).output) if layer else model
    return np.asarray(cut(x, training=False))


def calibrate(model: Any, x: Array) -> None:
    """Set the running statistics of every BatchNormalization to those of x (no labels needed)."""
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(x, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def save(model: Any, path: Path) -> None:
    """Write the model; that Keras calls `.h5` a legacy format is no news here."""
    logging.disable(logging.WARNING)
    try:
        assign.save(model, path)
    finally:
        logging.disable(logging.NOTSET)


def load(path: Path) -> Any:
    """A saved model; nothing in the file is executed."""
    return keras.models.load_model(path, safe_mode=True, compile=False)


def _is_compiled_for(model: Any, decay: Any) -> bool:
    """Compiling again takes far longer than training on 50 images."""
    optimizer = getattr(model, "optimizer", None)
    return optimizer is not None and optimizer.get_config()["learning_rate"]["config"] == decay.get_config()


def _called(layer: Any, name: str) -> Any:
    return type(layer).from_config({**layer.get_config(), "name": name})


def _unit(x: Any, filters: int, kernel: int, name: str, stride: int = 1, relu: bool = True) -> Any:
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _residual(x: Any, width: int, stride: int, name: str) -> Any:
    y = _unit(x, width, 3, f"{name}_a", stride)
    y = _unit(y, width, 3, f"{name}_b", relu=False)
    if stride > 1 or x.shape[-1] != width:
        x = _unit(x, width, 1, f"{name}_shortcut", stride, relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _mixed(x: Any, widths: tuple[int, ...], name: str) -> Any:
    one, small, three, smaller, five, pool = widths
    a = _unit(x, one, 1, f"{name}_1x1")
    b = _unit(_unit(x, small, 1, f"{name}_3x3_reduce"), three, 3, f"{name}_3x3")
    c = _unit(_unit(x, smaller, 1, f"{name}_5x5_reduce"), five, 5, f"{name}_5x5")
    d = _unit(layers.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(x), pool, 1, f"{name}_pool_proj")
    return layers.Concatenate(name=name)([a, b, c, d])


def _classifier(image: Any, x: Any, classes: int, name: str) -> Any:
    x = layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name=name)
