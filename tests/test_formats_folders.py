"""A folder with one model in it is that model."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import small
from safetensors.numpy import save_file

import weightbridge as wb

WEIGHTS = {"dense.weight": np.ones((3, 4), "f4"), "dense.bias": np.ones(3, "f4")}


def folder(path: Path, *names: str) -> Path:
    """A folder as transformers saves it."""
    (path / "config.json").write_text("{}")
    (path / "tokenizer.json").write_text("{}")
    (path / "training_args.bin").write_bytes(b"settings")
    for name in names:
        save_file(WEIGHTS, path / name)
    return path


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "other.safetensors"])
def test_the_one_file_is_read(tmp_path: Path, name: str) -> None:
    graph = wb.read(folder(tmp_path, name))
    assert graph.path == str(tmp_path / name)
    assert {t.name for t in graph.tensors} == WEIGHTS.keys()


def test_onnx_too(tmp_path: Path) -> None:
    small(folder(tmp_path) / "model.onnx")
    assert wb.read(tmp_path).format == "onnx"


def test_the_same_model_in_two_formats_is_said(tmp_path: Path) -> None:
    graph = wb.read(folder(tmp_path, "model.safetensors", "pytorch_model.bin"))
    assert graph.path == str(tmp_path / "model.safetensors")
    assert [f.code for f in graph.findings] == ["WB108"]


def test_a_folder_can_be_source_and_target(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    source, target = (folder(tmp_path / name, "model.safetensors") for name in ("a", "b"))
    report = wb.transfer(source, target, output=tmp_path / "o.safetensors")
    assert all(step.kind == "copy" for step in report.plan.steps)


@pytest.mark.parametrize("names", [(), ("one.safetensors", "two.safetensors")], ids=["none", "two"])
def test_none_or_two_models_are_not_chosen_from(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(wb.WeightbridgeError, match="without a model that can be read as a whole"):
        wb.read(folder(tmp_path, *names))
