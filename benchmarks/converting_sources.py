"""Models to convert, made where their framework is, with what they compute in float64 and their noise floor.

    python converting_sources.py KIND FOLDER        KIND: torch, keras or tf_keras

Each model is a file and an `.npz` of its inputs (`x0`, `x1`, ...), its output `y` in float64, and `floor`:
how far its own float32 is from that.
"""

import copy
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIZE, CLASSES, LENGTH, WORDS, UNITS = 64, 10, 12, 30, 16
EPSILON = float(np.finfo("float32").eps)


def main(kind: str, folder: Path) -> None:
    {"torch": torch_models, "keras": keras_models, "tf_keras": older_models}[kind](folder)


def note(path: Path, inputs: Sequence[Any], precise: Any, single: Any) -> None:
    """What a conversion of the model at a path is held against."""
    largest = float(np.abs(precise).max())
    floor = max(float(np.abs(precise - single).max()), EPSILON * largest)
    np.savez(f"{path}.npz", y=precise, floor=floor, **{f"x{n}": x for n, x in enumerate(inputs)})


def images(channels_first: bool = False) -> Any:
    shape = (2, 3, SIZE, SIZE) if channels_first else (2, SIZE, SIZE, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def sequences(features: int = UNITS) -> Any:
    return np.random.default_rng(1).normal(size=(2, LENGTH, features)).astype("float32")


def torch_models(folder: Path) -> None:
    import torch
    from converting_torch import NETS

    for name, (make, is_image) in NETS.items():
        torch.manual_seed(0)
        net = make().eval()
        for one in net.modules():
            if isinstance(one, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(one.running_mean, 0, 0.1)
                torch.nn.init.uniform_(one.running_var, 0.5, 1.5)
        x = torch.from_numpy(images(channels_first=True) if is_image else sequences())
        with torch.no_grad():
            precise = copy.deepcopy(net).double()(x.double()).numpy()
            single = net(x).numpy()
        for exporter in ("torchscript", "dynamo"):
            path = folder / f"{name}_{exporter}.onnx"
            _export(net, x, path, exporter)
            note(path, [x.numpy()], precise, single)


def _export(net: Any, x: Any, path: Path, exporter: str) -> None:
    import torch

    batch = {"x": {0: "batch"}, "y": {0: "batch"}}
    if exporter == "dynamo":
        free = ({0: torch.export.Dim.DYNAMIC},)
        torch.onnx.export(
            net, (x,), path, dynamo=True, external_data=False, dynamic_shapes=free, verbose=False
        )
    else:
        names = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(net, (x,), path, dynamo=False, dynamic_axes=batch, **names)


def keras_models(folder: Path) -> None:
    """What becomes ONNX, a TFLite file, and one file that is written by hand."""
    import keras

    numbers = np.random.default_rng(2)
    words = [numbers.integers(0, WORDS, (2, n)).astype("int32") for n in (LENGTH, LENGTH - 3)]
    nets: dict[str, tuple[Callable[[], Any], list[Any]]] = {
        "gelu": (_gelu_transformer, [sequences()]),
        "seq2seq": (_seq2seq, words),
        "efficientnet": (_efficientnet, [images() * 50 + 128]),
    }
    for name, (make, inputs) in nets.items():
        _saved(keras, make, inputs, folder / f"{name}.keras")
    _tflite(folder)
    _keras_1(folder / "keras1_lstm.h5")


def older_models(folder: Path) -> None:
    import tf_keras

    _saved(tf_keras, lambda: _mobilenet(tf_keras), [images()], folder / "keras2_mobilenet.h5")
    _saved(tf_keras, lambda: _hard_lstm(tf_keras), [sequences()], folder / "keras2_lstm.h5")


def _saved(keras: Any, make: Callable[[], Any], inputs: Sequence[Any], path: Path) -> None:
    model = make()
    values = [_drawn(weight) for weight in model.weights]
    model.set_weights(values)
    model.save(path)
    single = np.asarray(model(_given(model, inputs), training=False))
    _set_dtype(keras, "float64")
    precise = make()
    assert all(weight.dtype != "float32" for weight in precise.weights)
    precise.set_weights(values)
    wide = [x.astype("float64") if x.dtype.kind == "f" else x for x in inputs]
    exact = np.asarray(precise(_given(precise, wide), training=False))
    _set_dtype(keras, "float32")
    note(path, inputs, exact, single)


def _set_dtype(keras: Any, dtype: str) -> None:
    keras.backend.set_floatx(dtype)
    setting = getattr(keras, "config", None)
    set_policy = setting.set_dtype_policy if setting else keras.mixed_precision.set_global_policy
    set_policy(dtype)


def _given(model: Any, inputs: Sequence[Any]) -> Any:
    return list(inputs) if len(model.inputs) > 1 else inputs[0]


def _drawn(weight: Any) -> Any:
    """Weights that keep the size of what flows through, and statistics that no BatchNorm starts with."""
    value = np.asarray(weight)
    numbers = np.random.default_rng([*value.shape, 3])
    name = getattr(weight, "path", weight.name)
    if value.dtype.kind != "f" or not value.ndim:
        return value
    if "variance" in name or "gamma" in name:
        return numbers.uniform(0.7, 1.3, value.shape)
    fan = np.prod(value.shape[:2]) if "depthwise" in name else np.prod(value.shape[:-1])
    return numbers.normal(0, np.sqrt(2 / fan) if value.ndim > 1 else 0.1, value.shape)


def _gelu_transformer() -> Any:
    from keras import Input, Model, layers

    x = Input((LENGTH, UNITS))
    y = x
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, UNITS // 2)(layers.LayerNormalization()(y), y)
        y = layers.Add()([y, attended])
        wide = layers.Dense(4 * UNITS, activation="gelu")(layers.LayerNormalization()(y))
        y = layers.Add()([y, layers.Dense(UNITS)(wide)])
    return Model(x, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(y)))


def _seq2seq() -> Any:
    from keras import Input, Model, layers

    asked, said = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    _, state = layers.GRU(UNITS, return_state=True)(layers.Embedding(WORDS, UNITS)(asked))
    told = layers.GRU(UNITS, return_sequences=True)(layers.Embedding(WORDS, UNITS)(said), initial_state=state)
    return Model([asked, said], layers.Dense(WORDS, activation="softmax")(told))


def _efficientnet() -> Any:
    from keras.applications import EfficientNetB0

    return EfficientNetB0(weights=None, classes=CLASSES, input_shape=(SIZE, SIZE, 3))


def _mobilenet(keras: Any) -> Any:
    return keras.applications.MobileNetV2(weights=None, classes=CLASSES, input_shape=(SIZE, SIZE, 3))


def _hard_lstm(keras: Any) -> Any:
    layers = keras.layers
    first = layers.LSTM(UNITS, recurrent_activation="hard_sigmoid", return_sequences=True)
    second = layers.Bidirectional(layers.LSTM(UNITS, recurrent_activation="hard_sigmoid"))
    return keras.Sequential([keras.Input((LENGTH, UNITS)), first, second, layers.Dense(CLASSES)])


def _tflite(folder: Path) -> None:
    """The same MobileNetV2 as Keras 3 has it, converted by TensorFlow."""
    import keras
    import tensorflow as tf

    path = folder / "tflite_mobilenet.keras"
    _saved(keras, lambda: _mobilenet(keras), [images()], path)
    file = path.with_suffix(".tflite")
    file.write_bytes(tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(path)).convert())
    Path(f"{path}.npz").rename(f"{file}.npz")


def _keras_1(path: Path) -> None:
    """An LSTM and a Dense layer as Keras 1.2 kept them, and their formulas in numpy."""
    numbers = np.random.default_rng(4)
    shapes = {"W": (UNITS, UNITS), "U": (UNITS, UNITS), "b": (UNITS,)}
    lstm = {f"lstm_1_{k}_{g}": numbers.normal(0, 0.3, shapes[k]).astype("f4") for g in "icfo" for k in "WUb"}
    dense = {"dense_1_W": numbers.normal(0, 0.3, (UNITS, CLASSES)), "dense_1_b": numbers.normal(size=CLASSES)}
    config = [
        _first("LSTM", batch_input_shape=[None, LENGTH, UNITS], output_dim=UNITS, activation="tanh",
               inner_activation="hard_sigmoid", return_sequences=False, go_backwards=False, stateful=False),
        _first("Dense", output_dim=CLASSES, activation="linear", bias=True),
    ]  # fmt: skip
    _write_keras_1(path, config, {"lstm_1": lstm, "dense_1": {k: v.astype("f4") for k, v in dense.items()}})
    x = sequences()
    precise, single = (_lstm(x.astype(t), {**lstm, **dense}, t) for t in ("float64", "float32"))
    note(path, [x], precise, single)


def _first(class_name: str, **config: Any) -> dict[str, Any]:
    return {
        "class_name": class_name,
        "config": {"name": f"{class_name.lower()}_1", "trainable": True, **config},
    }


def _write_keras_1(path: Path, config: list[dict[str, Any]], weights: dict[str, dict[str, Any]]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, own in weights.items():
            group.create_group(name).attrs["weight_names"] = [key.encode() for key in own]
            for key, value in own.items():
                group[name][key] = value


def _lstm(x: Any, weights: dict[str, Any], dtype: str) -> Any:
    w = {key.removeprefix("lstm_1_"): value.astype(dtype) for key, value in weights.items()}
    h = c = np.zeros((len(x), UNITS), dtype)
    for step in range(x.shape[1]):
        now = x[:, step]
        i, f, o = (
            np.clip(dtype_of(0.2, dtype) * (now @ w[f"W_{g}"] + h @ w[f"U_{g}"] + w[f"b_{g}"]) + 0.5, 0, 1)
            for g in "ifo"
        )
        c = f * c + i * np.tanh(now @ w["W_c"] + h @ w["U_c"] + w["b_c"])
        h = o * np.tanh(c)
    return h @ w["dense_1_W"] + w["dense_1_b"]


def dtype_of(value: float, dtype: str) -> Any:
    return np.dtype(dtype).type(value)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
