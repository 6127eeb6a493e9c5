"""Files of Keras 1 and 2, written by hand, for what no other example has: one for each rule of dialect."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from first_models import Case, part
from keras_files import layer, numbers, write_legacy

NORM = {"gamma:0": (3,), "beta:0": (3,), "moving_mean:0": (3,), "moving_variance:0": (3,)}
ROWS = {"kernel:0": (3, 2), "bias:0": (2,)}
CELL = {"units": 2, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
FIRST = {"dim_ordering": "th", "border_mode": "valid", "activation": "relu", "bias": True, "init": "uniform"}
SEQUENTIAL: dict[str, Case] = {
    "channels-first": (
        "1.2.2",
        "tensorflow",
        (3, 8, 8),
        (
            part("Convolution2D", {"W": (4, 3, 3, 2), "b": (4,)}, nb_filter=4, nb_row=3, nb_col=2, **FIRST),
            part("MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"),
            part("Flatten"),
            part(
                "Dense",
                {"W": (36, 2), "b": (2,)},
                output_dim=2,
                init="uniform",
                activation="linear",
                bias=True,
            ),
        ),
    ),
    "channels-first-theano": (
        "1.1.0",
        "theano",
        (
            3,
            7,
            7,
        ),  # where the rows are as long as there are filters, Keras 3 called by itself adds the bias to them
        (part("Convolution2D", {"W": (4, 3, 3, 3), "b": (4,)}, nb_filter=4, nb_row=3, nb_col=3, **FIRST),),
    ),
    "softmax-axes": (
        "2.10.0",
        "tensorflow",
        (4, 5),
        (
            part("Softmax", axis=[1, 2]),
            part("Dense", {"kernel:0": (5, 2)}, units=2, use_bias=False, activation="linear"),
        ),
    ),
    "layernorm-axes": (
        "2.6.0",
        "tensorflow",
        (4, 5),
        (part("LayerNormalization", {"gamma:0": (4, 5), "beta:0": (4, 5)}, axis=[1, 2], epsilon=1e-3),),
    ),
    "images": (
        "2.9.0",
        "tensorflow",
        (6, 6, 3),
        (
            part("RandomFlip", mode="horizontal", seed=1, rng_type="stateful"),
            part("SpatialDropout2D", rate=0.2, trainable=True, data_format="channels_last"),
            part("BatchNormalizationV1", NORM, axis=[3], epsilon=1e-3, momentum=0.99),
            part("SyncBatchNormalization", NORM, axis=-1, epsilon=1e-2, momentum=0.9),
            part("ThresholdedReLU", theta=0.3),
            part("LeakyReLU", alpha=0.2),
        ),
    ),
    "wrapped": (
        "2.13.1",
        "tensorflow",
        (5, 3),
        (
            part(
                "Bidirectional",
                {
                    f"{way}_lstm/lstm_cell/{name}": shape
                    for way in ("forward", "backward")
                    for name, shape in {
                        "kernel:0": (3, 8),
                        "recurrent_kernel:0": (2, 8),
                        "bias:0": (8,),
                    }.items()
                },
                merge_mode="concat",
                layer=layer("LSTM", "lstm", module="", **CELL, return_sequences=True, time_major=False),
            ),
            part(
                "TimeDistributed",
                {"kernel:0": (4, 2), "bias:0": (2,)},
                layer=layer("Dense", "inner", module="", units=2, activation="relu", use_bias=True),
            ),
        ),
    ),
}


def called(value: dict[str, Any], *fed: str) -> dict[str, Any]:
    return {**value, "inbound_nodes": [[[name, 0, 0, {}] for name in fed]] if fed else []}


def functional(*layers: dict[str, Any], inputs: tuple[str, ...], outputs: tuple[str, ...]) -> dict[str, Any]:
    ends = {"input_layers": [[n, 0, 0] for n in inputs], "output_layers": [[n, 0, 0] for n in outputs]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": list(layers), **ends}}


def entry(name: str, shape: tuple[int | None, ...], **module: str) -> dict[str, Any]:
    told = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False}
    return called(layer("InputLayer", name, **{"module": "", **module}, **told))


def attention(path: Path) -> Path:
    """The score mode of the layer is a word, as a function's name would be."""
    config = functional(
        entry("q", (4, 6)),
        entry("v", (5, 6)),
        called(
            layer("Attention", "read", module="", use_scale=True, score_mode="dot", dropout=0.0), "q", "v"
        ),
        inputs=("q", "v"),
        outputs=("read",),
    )
    return write_legacy(path, {"read": {"scale:0": np.array(0.7, "f4")}}, config, version="2.12.0")


def located(path: Path) -> Path:
    """A nested model of Keras 2.14, which says where its classes live."""
    inner = layer(
        "Dense", "a", module="keras.layers", batch_input_shape=[None, 3], units=4, activation="tanh"
    )
    nested = layer(
        "Sequential", "body", module="keras", layers=[entry("first", (3,), module="keras.layers"), inner]
    )
    config = functional(
        entry("x", (3,), module="keras.layers"), called(nested, "x"), inputs=("x",), outputs=("body",)
    )
    weights = {"body": {"a/kernel:0": numbers(3, 4), "a/bias:0": numbers(4)}}
    return write_legacy(path, weights, config, version="2.14.0", backend="tensorflow")


WRITTEN: dict[str, Callable[[Path], Path]] = {"attention-score": attention, "located": located}
