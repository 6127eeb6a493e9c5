"""What a conversion is worth, seen by a process that knows the file alone: clean Keras, or onnxruntime.

    python converting_judged.py OUTPUT EXPECTED.npz

Prints JSON: `error` (the largest, in the model's own noise floors), `weights` and `trained` (how many have a
gradient that is not zero; absent for ONNX), or `failed`: why it does not load, or does not run.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def main(output: Path, expected: Path) -> None:
    held = np.load(expected)
    inputs = [held[f"x{n}"] for n in range(len(held.files) - 2)]
    try:
        found = by_onnxruntime(output, inputs) if output.suffix == ".onnx" else by_keras(output, inputs)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the answer
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"}))
        return
    values = axes_as(found.pop("values"), held["y"].shape)
    error = float(np.abs(values - held["y"]).max()) if values.shape == held["y"].shape else float("inf")
    print(json.dumps({"error": error / float(held["floor"]), **found}))


def by_onnxruntime(output: Path, inputs: Sequence[Any]) -> dict[str, Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    asked = session.get_inputs()
    if len(asked) != len(inputs):
        raise ValueError(f"asks for {len(asked)} inputs instead of {len(inputs)}")
    given = {one.name: axes_as(x, one.shape) for one, x in zip(asked, inputs, strict=True)}
    return {"values": session.run(None, given)[0]}


def by_keras(output: Path, inputs: Sequence[Any]) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    if output.is_dir():
        return by_signature(tf.saved_model.load(output), inputs)
    model = keras.models.load_model(output)  # safe mode, no custom objects
    given = [axes_as(x, one.shape) for x, one in zip(inputs, model.inputs, strict=True)]
    with tf.GradientTape() as tape:
        values = model(given if len(given) > 1 else given[0])
        weighted = tf.reduce_sum(values * np.random.default_rng(0).normal(size=values.shape))
    gradients = tape.gradient(weighted, model.trainable_variables)
    trained = sum(one is not None and bool(np.any(tf.convert_to_tensor(one))) for one in gradients)
    return {"values": np.asarray(values), "weights": len(gradients), "trained": trained}


def by_signature(module: Any, inputs: Sequence[Any]) -> dict[str, Any]:
    serve = module.signatures["serving_default"]
    specs = serve.structured_input_signature[1]
    given = {name: axes_as(x, spec.shape) for (name, spec), x in zip(specs.items(), inputs, strict=True)}
    values = next(iter(serve(**given).values())).numpy()
    return {"values": values, "weights": len(getattr(module, "trainable_variables", ())), "trained": 0}


def axes_as(array: Any, shape: Sequence[Any]) -> Any:
    """Channels where the other side has them."""
    turned = (array, np.moveaxis(array, 1, -1), np.moveaxis(array, -1, 1)) if array.ndim > 2 else (array,)
    return next((one for one in turned if fits(one, shape)), array)


def fits(array: Any, shape: Sequence[Any]) -> bool:
    """None, and ONNX's names, are any length; the batch is free."""
    return all(not isinstance(n, int) or n == m for n, m in zip(shape[1:], array.shape[1:], strict=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
