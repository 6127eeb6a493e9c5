"""How much a verified transfer runs: forward passes and seconds, from a model's file into a copy of it.

    python benchmarks/verify_passes.py [NAME ...]

Prints a line a model. Run under another checkout's PYTHONPATH, it measures that one.
"""

import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import weightbridge as wb

SMALL = (96, 96, 3)  # as many passes as of the usual size, and a tenth of the time
HOMES = (
    "weightbridge.formats.keras.framework.runs.run",
    "weightbridge.formats.keras.run",
    "weightbridge.formats.keras_run",
)


def lstm() -> Any:
    import keras

    x = keras.Input((None, 3))
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.LSTM(6)(x)))


def gru() -> Any:
    import keras

    x = keras.Input((None, 3))
    y = keras.layers.GRU(6, return_sequences=True)(x)
    return keras.Model(x, keras.layers.Dense(2)(keras.layers.GRU(6)(y)))


def transformer() -> Any:
    import keras

    layers = keras.layers
    ids = keras.Input((32,), dtype="int32")
    x = layers.Embedding(200, 64)(ids)
    for _ in range(4):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(256, activation="gelu")(x)))
    return keras.Model(ids, layers.Dense(5)(layers.GlobalAveragePooling1D()(x)))


def resnet50() -> Any:
    import keras

    return keras.applications.ResNet50(weights=None, input_shape=SMALL)


def inception_v3() -> Any:
    import keras

    return keras.applications.InceptionV3(weights=None, input_shape=SMALL)


MODELS: dict[str, Callable[[], Any]] = {
    "LSTM": lstm,
    "GRU": gru,
    "transformer": transformer,
    "ResNet50": resnet50,
    "InceptionV3": inception_v3,
}


def main(names: list[str]) -> None:
    passes = counted()
    print(f"{'model':12} {'passes':>7} {'seconds':>8}  verdict")
    with TemporaryDirectory() as folder:
        for name in names or MODELS:
            source, target = written(MODELS[name], Path(folder))
            before, began = len(passes), time.perf_counter()
            report = wb.transfer(source, target, output=Path(folder) / "o.keras", overwrite=True)
            seconds = time.perf_counter() - began
            print(f"{name:12} {len(passes) - before:7} {seconds:8.1f}  {report.verdict}", flush=True)


def written(build: Callable[[], Any], folder: Path) -> tuple[Path, Path]:
    """Two models of one architecture, no weight of which is what its initializer made."""
    for seed, name in enumerate(("s.keras", "t.keras")):
        model, random = build(), np.random.default_rng(seed)
        for weight in model.weights:
            is_positive = "variance" in weight.path or "gamma" in weight.path
            low, high = (0.8, 1.2) if is_positive else (-1.0, 1.0)
            scale = 1.0 if is_positive else (2.0 / max(1, int(np.prod(weight.shape[:-1])))) ** 0.5
            weight.assign(random.uniform(low, high, weight.shape) * scale)
        model.save(folder / name)
    return folder / "s.keras", folder / "t.keras"


def counted() -> list[str]:
    """A list that grows by one with every forward pass."""
    runner, passes = runner_class(), list[str]()
    original = runner.run

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        passes.append("")
        return original(self, *args, **kwargs)

    runner.run = counting
    return passes


def runner_class() -> Any:
    for home in HOMES:
        try:
            return import_module(home).KerasRunner
        except ModuleNotFoundError:
            continue
    raise SystemExit("this checkout has no runner for Keras models where one is expected")


if __name__ == "__main__":
    main(sys.argv[1:])
