"""Makes the files under examples/models.

A trained legacy .h5, the same weights as PyTorch keeps them, and two untrained .keras: one with as many
classes, one with a head of its own.

And 200 of the digits with their labels, to calibrate by.

And an LSTM of Keras 2 that reads a digit row by row, which Keras 3 refuses to load.

`python examples/make_models.py legacy` (or `old`) where the package tf_keras (Keras 2) is installed, then
`... today` with Keras 3, and `... torch`, `... onnx` (where PyTorch is installed), `... inputs`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

import weightbridge
from weightbridge.commands.demo_digits import digits

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
FOLDER = Path(__file__).parent / "models"


def network(layers: Any, model: Any, names: tuple[str, ...], output: str, classes: int = 10) -> Any:
    """Three convolutions with BatchNorm and a Dense layer."""
    image = x = layers.Input((8, 8, 1), name="image")
    for name, width, stride in zip(names, (16, 32, 32), (1, 2, 1), strict=True):
        x = layers.Conv2D(width, 3, strides=stride, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=name + "_bn")(x)
        x = layers.ReLU(name=name + "_relu")(x)
    x = layers.GlobalAveragePooling2D(name=output + "_pool")(x)
    return model(image, layers.Dense(classes, activation="softmax", name=output)(x))


def legacy() -> None:
    import tf_keras

    data = digits()
    tf_keras.utils.set_random_seed(0)
    model = network(tf_keras.layers, tf_keras.Model, ("conv2d_1", "conv2d_2", "conv2d_3"), "dense_1")
    model.compile(tf_keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.x, data.y, batch_size=50, epochs=60, verbose=0)
    print(model.evaluate(data.x_test, data.y_test, verbose=0))
    model.save(FOLDER / "trained.h5")


def old() -> None:
    import tf_keras

    data = digits()
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    image = layers.Input((8, 8), name="rows")
    x = layers.LSTM(24, recurrent_activation="hard_sigmoid", name="reader")(image)
    model = tf_keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x))
    model.compile(tf_keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.x[..., 0], data.y, batch_size=50, epochs=30, verbose=0)
    print(model.evaluate(data.x_test[..., 0], data.y_test, verbose=0))
    model.save(FOLDER / "old.h5", include_optimizer=False)


def today() -> None:
    import keras

    keras.utils.set_random_seed(1)
    names = ("stem", "body", "neck")
    network(keras.layers, keras.Model, names, "digit").save(FOLDER / "mine.keras")
    network(keras.layers, keras.Model, names, "parity", classes=2).save(FOLDER / "new_head.keras")


def inputs() -> None:
    data = digits()
    np.savez_compressed(FOLDER / "inputs.npz", x=data.x[:200], y=data.y[:200])


def torch() -> None:
    """The trained weights under the names and in the layouts of a PyTorch state dict.

    Kernels (out, in, rows, columns).
    """
    from safetensors.numpy import save_file

    trained = {tensor.name: tensor.load() for tensor in weightbridge.read(FOLDER / "trained.h5").tensors}
    state = {"classifier.weight": trained["dense_1/kernel"].T, "classifier.bias": trained["dense_1/bias"]}
    for n in range(3):
        state[f"features.{n}.conv.weight"] = trained[f"conv2d_{n + 1}/kernel"].transpose(3, 2, 0, 1)
        for theirs, ours in NORM.items():
            state[f"features.{n}.norm.{theirs}"] = trained[f"conv2d_{n + 1}_bn/{ours}"]
    save_file(
        {name: np.ascontiguousarray(array) for name, array in state.items()}, FOLDER / "torch.safetensors"
    )


def onnx() -> None:
    """The same network as PyTorch exports it: its names, channels first, BatchNorm as it is."""
    import warnings

    import torch_network

    torch, module = torch_network.torch, torch_network.trained()
    warnings.simplefilter("ignore")  # the exporter that takes no further package is the old one
    torch.onnx.export(
        module, (torch.zeros(1, 1, 8, 8),), FOLDER / "torch.onnx",
        dynamo=False, opset_version=17, input_names=["image"], output_names=["digit"],
        training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        dynamic_axes={"image": {0: "batch"}, "digit": {0: "batch"}},
    )  # fmt: skip


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    makers = {"legacy": legacy, "old": old, "today": today, "torch": torch, "onnx": onnx, "inputs": inputs}
    makers[sys.argv[1]]()
