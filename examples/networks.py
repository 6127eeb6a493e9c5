"""What the three examples share: a small network for 8 x 8 images, its training, and its accuracy."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

Array = NDArray[np.generic]


def trunk(image: keras.KerasTensor, name: str = "conv") -> keras.KerasTensor:
    """Four convolutions with BatchNorm, the third with stride 2."""
    x = image
    for i, (width, stride) in enumerate(((16, 1), (32, 1), (32, 2), (64, 1)), 1):
        x = layers.Conv2D(width, 3, stride, "same", use_bias=False, name=f"{name}{i}")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{name}{i}_bn")(x)
        x = layers.ReLU(name=f"{name}{i}_relu")(x)
    return x


def classifier(classes: int, seed: int, name: str = "conv", head: str = "logits") -> keras.Model:
    """The trunk, an average over the image, and one Dense layer."""
    keras.utils.set_random_seed(seed)
    image = layers.Input((8, 8, 1), name="image")
    x = layers.GlobalAveragePooling2D(name="pooled")(trunk(image, name))
    return keras.Model(image, layers.Dense(classes, name=head)(x))


def train(model: keras.Model, x: Array, y: Array, epochs: int, seed: int) -> None:
    """Adam on cross entropy, in batches of 50."""
    keras.utils.set_random_seed(seed)
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=50, epochs=epochs, verbose=0)


def accuracy(model: keras.Model, x: Array, y: Array) -> float:
    """The share of x whose largest logit is that of its label."""
    return float((np.asarray(model(x, training=False)).argmax(axis=-1) == y).mean())


def show(name: str, transferred: float, control: float, what: str) -> None:
    """One line that tests and CI read: the example, its accuracy, the control's, and what the control is."""
    print(f"{name}: {transferred:.3f} with the transfer, {control:.3f} without ({what})")
