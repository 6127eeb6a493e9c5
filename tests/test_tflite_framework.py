"""TFLite files by TensorFlow's own converter: matched, carried over, verified and converted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_models import MODELS, made

import weightbridge as wb
from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # of TensorFlow and Keras


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each model as .keras, as .tflite, and one of them in integers of 8 bits."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("tflite")
    for name in MODELS:
        model = made(name)
        model.save(folder / f"{name}.keras")
        (folder / f"{name}.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
        if name == "images":
            (folder / "int8.tflite").write_bytes(_in_integers(model))
    return folder


def _in_integers(model: Any) -> bytes:
    import tensorflow as tf

    rng = np.random.default_rng(4)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    shape = (1, *model.input_shape[1:])
    converter.representative_dataset = lambda: ([rng.normal(size=shape).astype("float32")] for _ in range(8))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converted: bytes = converter.convert()
    return converted


@pytest.mark.parametrize("name", MODELS)
def test_a_converted_model_is_the_same_model(files: Path, name: str) -> None:
    report = wb.check(files / f"{name}.tflite", files / f"{name}.keras")
    assert report.coverage.fraction == 1
    assert not [f for f in report.findings if f.code == "WB403"]


@pytest.mark.parametrize("name", MODELS)
def test_both_compute_the_same(files: Path, name: str) -> None:
    assert wb.verify(files / f"{name}.keras", files / f"{name}.tflite").ok


@pytest.mark.parametrize("name", ["words", "series"])
def test_it_becomes_a_keras_model_that_computes_the_same(files: Path, tmp_path: Path, name: str) -> None:
    report = wb.convert(files / f"{name}.tflite", tmp_path / "m.keras")
    assert report.verdict in ("pass", "warn")
    assert report.verification is not None
    assert report.verification.evidence["reference"] == "TFLite's interpreter"


@pytest.mark.parametrize("fault", ["one-percent", "turned"])
def test_a_fault_in_what_is_written_is_noticed(
    fault: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weightbridge.transfer import execute

    apply = execute.transforms.apply

    def faulty(*given: Any) -> Any:
        value = apply(*given).copy()
        if value.ndim > 1 and fault == "one-percent":
            value[..., 0] *= 1.01
        return value[::-1].copy() if value.ndim > 1 and fault == "turned" else value

    monkeypatch.setattr(execute.transforms, "apply", faulty)
    report = wb.convert(files / "series.tflite", tmp_path / "m.keras", on_fail="return")
    assert report.verdict == "fail"
    assert "WB401" in {finding.code for finding in report.findings}
    assert not (tmp_path / "m.keras").exists()


def test_one_wrong_channel_is_noticed(files: Path, tmp_path: Path) -> None:
    graph = wb.read(files / "series.tflite")
    kernel = max(graph.tensors, key=lambda t: t.size)
    stored = kernel.load().tobytes()
    data = (files / "series.tflite").read_bytes()
    assert data.count(stored) == 1
    changed = kernel.load()
    changed[0] *= 1.01
    (tmp_path / "wrong.tflite").write_bytes(data.replace(stored, changed.tobytes()))
    report = wb.verify(files / "series.keras", tmp_path / "wrong.tflite")
    assert "WB401" in [f.code for f in report.findings]


def test_integers_are_floats_where_they_are_asked_for(files: Path) -> None:
    plain, asked = (
        wb.check(files / "int8.tflite", files / "images.keras", dequantize=wanted) for wanted in (False, True)
    )
    assert "WB109" in [f.code for f in plain.findings]
    assert "WB302" in [f.code for f in asked.findings]
    assert asked.coverage.fraction == 1


def test_a_model_of_integers_runs_on_floats(files: Path) -> None:
    feeds = np.random.default_rng(1).normal(size=(1, 12, 16, 3)).astype("float32")
    outputs = [
        next(iter(runner.run({runner.inputs[0].name: feeds}).values()))
        for runner in (formats.runner(files / f"{name}.tflite") for name in ("images", "int8"))
    ]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.1
    assert outputs[1].dtype == np.float32


def test_a_model_does_not_run_in_float64(files: Path) -> None:
    with pytest.raises(wb.WeightbridgeError, match="float32 alone"):
        formats.runner(files / "words.tflite", "float64")


@pytest.mark.parametrize("name", MODELS)
def test_it_becomes_an_onnx_file_at_once(files: Path, tmp_path: Path, name: str) -> None:
    """The steps go from the file's own tensors to those of the new one."""
    source, output = files / f"{name}.tflite", tmp_path / "m.onnx"
    report = wb.convert(source, output)
    assert report.verdict in ("pass", "warn")
    assert report.verification is not None
    assert report.verification.evidence["claim"] == "equal"
    assert report.plan is not None
    known = formats.read(source).tensor_by_name
    assert {name for step in report.plan.steps for name in step.sources} <= known.keys()
    assert {step.target for step in report.plan.steps} == formats.read(output).tensor_by_name.keys()
