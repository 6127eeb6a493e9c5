"""Files of Keras 1 and of early Keras 2, written by hand: nothing that runs today can make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from keras_files import layer, numbers, write_legacy

Weights = Mapping[str, tuple[int, ...]]  # suffix of a weight's name -> shape


@dataclass(frozen=True)
class Part:
    """A layer of a Sequential as Keras 1 or 2 wrote it, and the weights that it has in the file."""

    class_name: str
    config: Mapping[str, Any]
    weights: Weights


def part(class_name: str, weights: Weights | None = None, **config: Any) -> Part:
    return Part(class_name, config, weights or {})


def gates(letters: str, inputs: int, units: int) -> Weights:
    return {
        f"{kind}_{gate}": shape
        for gate in letters
        for kind, shape in (("W", (inputs, units)), ("U", (units, units)), ("b", (units,)))
    }


def write_first(path: Path, name: str) -> Path:
    """The file of one case."""
    return write_parts(path, CASES[name])


def write_parts(path: Path, case: "Case") -> Path:
    version, backend, shape, parts = case
    separator = "_" if version.startswith("1") else "/"
    layers, weights = [], {}
    for number, one in enumerate(parts):
        own = f"{one.class_name.lower()}_{number + 1}"
        first = {"batch_input_shape": [None, *shape]} if number == 0 else {}
        layers.append(layer(one.class_name, own, module="", **one.config, **first))
        weights[own] = {
            f"{own}{separator}{suffix}": _value(suffix, shape, number)
            for suffix, shape in one.weights.items()
        }
    return write_legacy(
        path, weights, {"class_name": "Sequential", "config": layers}, version=version, backend=backend
    )


def _value(suffix: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    found = numbers(*shape, seed=seed + len(suffix)) * 0.5
    return abs(found) + 0.2 if "std" in suffix or "variance" in suffix else found


PLAIN = {"activation": "linear", "bias": True}
DENSE = part("Dense", {"W": (4, 3), "b": (3,)}, output_dim=3, init="glorot_uniform", **PLAIN)
CONV = {
    "border_mode": "same",
    "dim_ordering": "tf",
    "init": "glorot_uniform",
    "activation": "relu",
    "bias": True,
}
Case = tuple[str, str, tuple[int | None, ...], tuple[Part, ...]]
CASES: dict[str, Case] = {
    "dense": ("1.2.2", "tensorflow", (4,), (DENSE,)),
    "convolutions": (
        "1.2.2",
        "tensorflow",
        (8, 8, 3),
        (
            part("ZeroPadding2D", padding=[1, 1], dim_ordering="tf"),
            part(
                "Convolution2D",
                {"W": (3, 3, 3, 4), "b": (4,)},
                nb_filter=4,
                nb_row=3,
                nb_col=3,
                subsample=[2, 2],
                **CONV,
            ),
            part(
                "BatchNormalization",
                {"gamma": (4,), "beta": (4,), "running_mean": (4,), "running_std": (4,)},
                mode=0,
                axis=-1,
                epsilon=1e-3,
                momentum=0.99,
                gamma_init="one",
                beta_init="zero",
            ),
            part("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="tf"),
            part("Dropout", p=0.5),
            part("SpatialDropout2D", p=0.2, dim_ordering="tf"),
            part("Flatten"),
            part(
                "Dense",
                {"W": (16, 2), "b": (2,)},
                output_dim=2,
                init="uniform",
                activation="softmax",
                bias=True,
            ),
        ),
    ),
    "dilated": (
        "1.1.0",
        "tensorflow",
        (8, 8, 2),
        (
            part(
                "AtrousConvolution2D",
                {"W": (3, 3, 2, 3), "b": (3,)},
                nb_filter=3,
                nb_row=3,
                nb_col=3,
                atrous_rate=[2, 2],
                **CONV,
            ),
            part("UpSampling2D", size=[2, 2], dim_ordering="tf"),
            part("AveragePooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="same", dim_ordering="tf"),
        ),
    ),
    "one-dimension": (
        "1.2.2",
        "tensorflow",
        (9, 3),
        (
            part(
                "Convolution1D",
                {"W": (3, 1, 3, 4), "b": (4,)},
                nb_filter=4,
                filter_length=3,
                border_mode="valid",
                subsample_length=1,
                activation="relu",
                bias=True,
                init="uniform",
            ),
            part("MaxPooling1D", pool_length=2, stride=2, border_mode="valid"),
            part("UpSampling1D", length=2),
            part("GaussianNoise", sigma=0.1),
        ),
    ),
    "volume": (
        "1.2.2",
        "tensorflow",
        (4, 5, 6, 2),
        (
            part(
                "Convolution3D",
                {"W": (2, 2, 2, 2, 3), "b": (3,)},
                nb_filter=3,
                kernel_dim1=2,
                kernel_dim2=2,
                kernel_dim3=2,
                subsample=[1, 1, 1],
                **{**CONV, "border_mode": "valid"},
            ),
        ),
    ),
    "words": (
        "1.0.5",
        "theano",
        (6,),
        (
            part("Embedding", {"W": (11, 4)}, input_dim=11, output_dim=4, init="uniform", dropout=0.0),
            part(
                "GRU",
                gates("zrh", 4, 3),
                output_dim=3,
                activation="tanh",
                inner_activation="hard_sigmoid",
                return_sequences=True,
                go_backwards=False,
                consume_less="cpu",
            ),
            part("SimpleRNN", {"W": (3, 2), "U": (2, 2), "b": (2,)}, output_dim=2, activation="tanh"),
        ),
    ),
    "theano-flipped": (
        "2.0.5",
        "theano",
        (8, 8, 3),
        (
            part(
                "Conv2D",
                {"kernel:0": (3, 3, 3, 4), "bias:0": (4,)},
                filters=4,
                kernel_size=[3, 3],
                padding="valid",
                data_format="channels_last",
                activation="relu",
                use_bias=True,
            ),
        ),
    ),
    "cudnn-lstm": (
        "2.2.4",
        "tensorflow",
        (5, 3),
        (
            part(
                "CuDNNLSTM",
                {"kernel:0": (3, 16), "recurrent_kernel:0": (4, 16), "bias:0": (32,)},
                units=4,
                return_sequences=True,
            ),
            part(
                "CuDNNGRU",
                {"kernel:0": (4, 9), "recurrent_kernel:0": (3, 9), "bias:0": (18,)},
                units=3,
            ),
        ),
    ),
    "gru-of-2.0": (
        "2.0.8",
        "tensorflow",
        (5, 3),
        (
            part(
                "GRU",
                {"kernel:0": (3, 12), "recurrent_kernel:0": (4, 12), "bias:0": (12,)},
                units=4,
                activation="tanh",
                recurrent_activation="hard_sigmoid",
                use_bias=True,
                return_sequences=True,
            ),
            part(
                "GRU",
                {"kernel:0": (4, 9), "recurrent_kernel:0": (3, 9)},
                units=3,
                activation="tanh",
                recurrent_activation="sigmoid",
                use_bias=False,
            ),
        ),
    ),
    "initializers-with-dtype": (
        "2.2.4-tf",
        "tensorflow",
        (6,),
        (
            part(
                "Dense",
                {"kernel:0": (6, 3), "bias:0": (3,)},
                units=3,
                activation="selu",
                dtype="float32",
                kernel_initializer={
                    "class_name": "GlorotUniform",
                    "config": {"seed": None, "dtype": "float32"},
                },
                bias_initializer={"class_name": "Zeros", "config": {"dtype": "float32"}},
            ),
        ),
    ),
}
