"""What the own writer makes of each kind of layer, against Keras, at several batches and opsets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_masked_models import cells, functions, masked
from onnx_models import images, randomised, recurrent, sequences
from test_convert import run

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
FAMILIES = {
    "recurrent": recurrent,
    "images": images,
    "sequences": sequences,
    "masked": masked,
    "cells": cells,
    "functions": functions,
}
LENGTH = 9  # of an axis of any length


def inputs(model: Any, batch: int) -> list[np.ndarray]:
    generator = np.random.default_rng(batch)
    return [_input(tensor, batch, generator) for tensor in model.inputs]


def _input(tensor: Any, batch: int, generator: np.random.Generator) -> np.ndarray:
    shape = [batch, *(LENGTH if n is None else n for n in tensor.shape[1:])]
    if tensor.dtype == "bool":
        return generator.random(shape) < 0.6
    if "int" in tensor.dtype:
        return generator.integers(0, 9, shape).astype(tensor.dtype)
    return generator.normal(size=shape).astype("float32")


def outputs(model: Any, given: list[np.ndarray]) -> list[np.ndarray]:
    found = model(given if len(given) > 1 else given[0], training=False)
    if isinstance(found, Mapping):
        found = list(found.values())
    return [np.asarray(value) for value in (found if isinstance(found, list | tuple) else [found])]


@pytest.mark.parametrize("opset", ["13", "17", "22"])
@pytest.mark.parametrize("family", FAMILIES)
def test_each_kind_of_layer(family: str, opset: str, tmp_path: Path) -> None:
    """All that differ are named together."""
    wrong = {}
    for name, build in FAMILIES[family]().items():
        error = _error(build, tmp_path / f"{name}.keras", opset)
        if not error < 2e-6:
            wrong[name] = error
    assert not wrong


def _error(build: Any, source: Path, opset: str) -> float:
    """The largest one, of the largest output; infinite where shapes differ."""
    import keras
    import onnxruntime as ort

    keras.backend.clear_session()
    model, output = randomised(build()), source.with_suffix(".onnx")
    model.save(source)
    assert run(str(source), str(output), "--quiet", "--no-verify", "--opset", opset) == 0, source.stem
    session = ort.InferenceSession(output)
    errors = []
    for batch in (1, 3):
        given = inputs(model, batch)
        feeds = {info.name: value for info, value in zip(session.get_inputs(), given, strict=True)}
        pairs = zip(session.run(None, feeds), outputs(model, given), strict=True)
        errors += [_apart(found, expected) for found, expected in pairs]
    return max(errors)


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / (np.abs(expected).max() + 1e-9))


def test_what_is_not_known_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from keras import layers as k
    from onnx_models import chain

    source, output = tmp_path / "model.keras", tmp_path / "model.onnx"
    chain((6, 6, 2), k.AdaptiveMaxPooling2D(4, name="most")).save(source)
    assert run(str(source), str(output)) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert all(word in said for word in ("WB107", "most", "AdaptiveMaxPooling2D", "--engine tf2onnx"))
    assert not output.exists()
