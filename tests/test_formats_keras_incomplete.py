"""Keras files that lack what their architecture asks for, or whose config is no list of layers."""

from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy

from weightbridge import formats
from weightbridge.errors import Corrupt


def dense() -> dict[str, Any]:
    return sequential(source("x", [4]), layer("Dense", "head", units=3))


@pytest.mark.parametrize(
    "config",
    [
        layer("Sequential", "m", module="keras", layers=None),
        layer("Sequential", "m", module="keras", layers={"0": layer("Dense", "a", units=2)}),
        layer("Sequential", "m", module="keras", layers=[None]),
        layer("Functional", "m", module="keras.src.models.functional", layers=None),
        {"class_name": "Sequential", "config": None},
        sequential(source("x", [4]), layer("Dense", "a\0b", units=3)),
    ],
    ids=["null", "dict", "null in list", "functional", "no config", "NUL"],
)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_model_without_layers_is_corrupt(tmp_path: Path, config: Any, suffix: str) -> None:
    arrays = numbers(4, 3), numbers(3)
    if suffix == "keras":
        path = write_keras(tmp_path / "m.keras", config, {"layers/dense": ("", arrays)})
    else:
        path = write_legacy(tmp_path / "m.h5", {"a": {"a/kernel": arrays[0]}}, config, version="2.4.0")
    with pytest.raises(Corrupt):
        formats.read(path)


def test_a_class_of_the_same_name_is_no_model(tmp_path: Path) -> None:
    config = layer("Sequential", "m", module="mine.models", width=3)
    path = write_keras(tmp_path / "m.keras", config, {"layers/dense": ("", (numbers(4, 3), numbers(3)))})
    assert [f.code for f in formats.read(path).findings] == ["WB104"]


@pytest.mark.parametrize(("held", "lacks"), [((0,), "bias"), ((1,), "kernel"), ((0, 1), "")])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_missing_variable_is_said(tmp_path: Path, held: tuple[int, ...], lacks: str, suffix: str) -> None:
    arrays = {0: numbers(4, 3), 1: numbers(3)}
    if suffix == "keras":
        import io
        import json
        import zipfile

        import h5py

        path, body = tmp_path / "m.keras", io.BytesIO()
        with h5py.File(body, "w") as file:
            for n in held:
                file[f"layers/dense/vars/{n}"] = arrays[n]
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(dense()))
            archive.writestr("model.weights.h5", body.getvalue())
    else:
        names = ("head/kernel:0", "head/bias:0")
        weights = {"head": {names[n]: arrays[n] for n in held}}
        path = write_legacy(tmp_path / "m.h5", weights, dense(), version="3.15.1")
    graph = formats.read(path)
    said = [f.message for f in graph.findings if f.code == "WB105"]
    assert len(said) == bool(lacks)
    assert all(lacks in message for message in said)
    assert {t.role for t in graph.tensors} == {("kernel", "bias")[n] for n in held}
