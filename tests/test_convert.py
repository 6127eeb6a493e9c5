"""convert: old Keras files become Keras 3's, without a framework; what cannot be converted is refused."""

import json
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import pytest
from cli_calls import exit_code
from keras_files import FIXTURES, layer, write_legacy

import weightbridge as wb
from weightbridge import formats

KERAS_2 = FIXTURES / "keras2"
CONVERTED = (
    *("attention.h5", "bidirectional.h5", "cells.h5", "depthwise.h5", "functional.keras", "hard_sigmoid.h5"),
    *("nested.h5", "nested_frozen.h5", "nested_twice.h5", "norm.keras", "plain.h5", "plain.keras"),
    *("recurrent.h5", "shared.h5", "tensorflow_ops.h5"),
)


def converted(source: Path, output: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report."""
    report = output.with_suffix(".json")
    code = run(str(source), str(output), "--quiet", "--report", f"json={report}", *options)
    return code, json.loads(report.read_text())


def run(*arguments: str) -> int:
    return exit_code("convert", *arguments)


def classes_of(path: Path) -> list[str]:
    """The classes of a written model's layers, as Keras loads them."""
    import keras

    return [type(layer).__name__ for layer in keras.saving.load_model(path).layers]


@pytest.mark.parametrize("name", CONVERTED)
def test_every_tensor_arrives_without_a_framework(name: str, tmp_path: Path) -> None:
    output = tmp_path / "new.keras"
    code, report = converted(KERAS_2 / name, output, "--no-verify")
    assert (code, report["coverage"]["fraction"]) == (0, 1.0)
    assert (report["target"]["path"], report["target"]["sha256"]) == (str(output), report["wrote"]["sha256"])
    assert report["wrote"]["sha256"] == sha256(output.read_bytes()).hexdigest()
    source, target = formats.read(KERAS_2 / name), formats.read(output)
    assert {layer.name for layer in target.layers} >= {layer.name for layer in source.layers if layer.tensors}
    assert target.parameters == source.parameters


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    outputs = [tmp_path / "a.keras", tmp_path / "b.keras"]
    for output in outputs:
        converted(KERAS_2 / "nested.h5", output, "--no-verify")
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_no_old_argument_is_left(tmp_path: Path) -> None:
    output = tmp_path / "new.keras"
    converted(KERAS_2 / "recurrent.h5", output, "--no-verify")
    with zipfile.ZipFile(output) as archive:
        text = archive.read("config.json").decode()
    assert not [old for old in ("time_major", "implementation", "batch_input_shape", "alpha") if old in text]


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        (KERAS_2 / "lambda.h5", "WB901", "Lambda"),
        (FIXTURES / "tensorflow" / "keras2_custom.h5", "WB107", "Block"),
        (FIXTURES / "torch" / "plain.pt", "WB107", "only Keras models"),
    ],
    ids=["lambda", "custom-class", "no-keras"],
)
def test_what_cannot_be_converted_is_refused_by_name(
    source: Path, code: str, said: str, tmp_path: Path
) -> None:
    output = tmp_path / "new.keras"
    exit_code, report = converted(source, output)
    assert (exit_code, report["findings"][0]["code"]) == (4, code)
    assert said in report["findings"][0]["message"]
    assert not output.exists()


@pytest.mark.parametrize("name", ["new.tflite", "new.safetensors", "new"])
def test_a_suffix_without_a_writer_is_a_wrong_argument(name: str, tmp_path: Path) -> None:
    assert run(str(KERAS_2 / "plain.h5"), str(tmp_path / name)) == 2


def test_an_output_that_exists_stays(tmp_path: Path) -> None:
    output = tmp_path / "new.keras"
    output.write_text("mine")
    assert run(str(KERAS_2 / "plain.h5"), str(output)) == 2
    assert output.read_text() == "mine"


def test_hard_sigmoid_is_scaled_and_said(tmp_path: Path) -> None:
    _, report = converted(KERAS_2 / "hard_sigmoid.h5", tmp_path / "new.keras", "--no-verify")
    assert [step["transform"] for step in report["steps"]] == ["scaled", "scaled"]
    assert {step["contract"] for step in report["steps"]} == {"preserving"}
    assert "WB407" in {finding["code"] for finding in report["findings"]}


def weights_and_architecture(folder: Path) -> tuple[Path, Path]:
    """The fixture's parts as `save_weights` and `to_json` of Keras 2 write them."""
    weights, architecture = folder / "weights.h5", folder / "architecture.json"
    with h5py.File(KERAS_2 / "plain.h5") as whole, h5py.File(weights, "w") as file:
        for name in whole["model_weights"]:
            whole.copy(f"model_weights/{name}", file)
        for key, value in whole["model_weights"].attrs.items():
            file.attrs[key] = value
        config = json.loads(whole.attrs["model_config"])
        version = str(whole.attrs["keras_version"])
    architecture.write_text(json.dumps({**config, "keras_version": version, "backend": "tensorflow"}))
    return weights, architecture


def test_weights_alone_ask_for_their_architecture_and_take_it(tmp_path: Path) -> None:
    weights, architecture = weights_and_architecture(tmp_path)
    output, whole = tmp_path / "new.keras", tmp_path / "whole.keras"
    code, report = converted(weights, output)
    assert (code, "--architecture MODEL" in report["findings"][0]["fix"]) == (4, True)
    for told in (architecture, KERAS_2 / "plain.h5"):
        code, _ = converted(weights, output, "--architecture", str(told), "--no-verify", "--overwrite")
        converted(KERAS_2 / "plain.h5", whole, "--no-verify", "--overwrite")
        assert (code, output.read_bytes()) == (0, whole.read_bytes())


def test_another_architecture_is_told_and_no_temporary_name(tmp_path: Path) -> None:
    weights, _ = weights_and_architecture(tmp_path)
    other, output = KERAS_2 / "recurrent.h5", tmp_path / "new.keras"
    code, report = converted(weights, output, "--architecture", str(other), "--no-verify")
    missing = [f for f in report["findings"] if f["code"] == "WB105"]
    assert (code, report["target"]["path"], report["target"]["sha256"]) == (1, str(output), None)
    assert missing
    assert all(str(other) in found["fix"] for found in missing)


def test_an_architecture_that_is_none_is_refused(tmp_path: Path) -> None:
    weights, _ = weights_and_architecture(tmp_path)
    code, report = converted(weights, tmp_path / "new.keras", "--architecture", str(weights))
    assert (code, report["findings"][0]["code"]) == (4, "WB107")


def test_the_library_gives_the_report_of_the_command(tmp_path: Path) -> None:
    output = tmp_path / "new.keras"
    report = wb.convert(KERAS_2 / "plain.h5", output, verify=False)
    assert (report.command, report.ok, output.exists()) == ("convert", True, True)
    with pytest.raises(wb.WeightbridgeError) as refused:
        wb.convert(KERAS_2 / "lambda.h5", tmp_path / "other.keras")
    assert refused.value.code == "WB901"


@pytest.mark.parametrize("name", CONVERTED)
def test_a_legacy_file_holds_the_same(name: str, tmp_path: Path) -> None:
    zipped, legacy = tmp_path / "new.keras", tmp_path / "new.h5"
    for output in (zipped, legacy):
        assert converted(KERAS_2 / name, output, "--no-verify")[0] == 0
    first, second = formats.read(zipped), formats.read(legacy)
    assert (second.format, second.findings) == ("keras-h5", ())
    assert {t.name for t in first.tensors} == {t.name for t in second.tensors}
    for tensor in first.tensors:
        assert tensor.load().tobytes() == second.tensor_by_name[tensor.name].load().tobytes()


@pytest.mark.parametrize("name", ["attention.h5", "nested_twice.h5", "shared.h5"])
def test_weights_are_read_by_the_order_that_keras_computes(name: str, tmp_path: Path) -> None:
    """A config may list its layers in any order: Keras stores and loads them by one of its own."""
    output, shuffled = tmp_path / "new.keras", tmp_path / "shuffled.keras"
    converted(KERAS_2 / name, output, "--no-verify")
    with zipfile.ZipFile(output) as archive, zipfile.ZipFile(shuffled, "w") as other:
        for member in archive.namelist():
            data = archive.read(member)
            other.writestr(member, reversed_layers(data) if member == "config.json" else data)
    first, second = formats.read(output), formats.read(shuffled)
    for tensor in first.tensors:
        assert tensor.load().tobytes() == second.tensor_by_name[tensor.name].load().tobytes()


def reversed_layers(data: bytes) -> str:
    config = json.loads(data)
    config["config"]["layers"] = config["config"]["layers"][::-1]
    return json.dumps(config)


def old_sequential(path: Path, *layers: dict[str, Any], version: str) -> Path:
    return write_legacy(path, {}, {"class_name": "Sequential", "config": list(layers)}, version=version)


@pytest.mark.parametrize(
    ("layers", "version", "said"),
    [
        (
            [layer("LSTM", "l", module="", units=2, time_major=True, batch_input_shape=[None, 5, 3])],
            "2.4.0",
            "time_major",
        ),
        ([layer("Dense", "d", module="", units=2)], "2.4.0", "shape of its input"),
        (
            [layer("BatchNormalization", "b", module="", mode=1, axis=-1, batch_input_shape=[None, 3])],
            "1.2.2",
            "over samples",
        ),
        (
            [
                layer(
                    "LocallyConnected1D",
                    "c",
                    module="",
                    filters=2,
                    kernel_size=[3],
                    batch_input_shape=[None, 5, 3],
                )
            ],
            "2.4.0",
            "LocallyConnected1D",
        ),
        (
            [layer("Dense", "d", module="", units=2, activation="mine", batch_input_shape=[None, 3])],
            "2.4.0",
            "mine",
        ),
    ],
    ids=["time-first", "no-shape", "batches", "no-layer", "activation"],
)
def test_what_would_be_another_model_is_refused(
    layers: list[dict[str, Any]], version: str, said: str, tmp_path: Path
) -> None:
    source = old_sequential(tmp_path / "old.h5", *layers, version=version)
    code, report = converted(source, tmp_path / "new.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert said in report["findings"][0]["message"]


def test_words_that_are_not_in_the_configuration_are_not_carried(tmp_path: Path) -> None:
    lookup = layer(
        "StringLookup", "words", module="", vocabulary=None, batch_input_shape=[None, 1], dtype="int64"
    )
    code, report = converted(
        old_sequential(tmp_path / "old.h5", lookup, version="2.9.0"), tmp_path / "new.keras"
    )
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert "the words that the layer knows" in report["findings"][0]["message"]


def test_time_before_the_batch_is_no_onnx_either(tmp_path: Path) -> None:
    lstm = layer("LSTM", "l", module="", units=2, time_major=True, batch_input_shape=[None, 5, 3])
    source = old_sequential(tmp_path / "old.h5", lstm, version="2.4.0")
    code, report = converted(source, tmp_path / "new.onnx")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert "time_major" in report["findings"][0]["message"]


def test_a_setting_that_keras_3_lacks_is_said(tmp_path: Path) -> None:
    dense = layer("Dropout", "d", module="", rate=0.5, batch_input_shape=[None, 3], cooled=True)
    source = old_sequential(tmp_path / "old.h5", dense, version="2.4.0")
    _, report = converted(source, tmp_path / "new.keras", "--no-verify")
    assert [f["severity"] for f in report["findings"] if "cooled=True" in f["message"]] == ["note"]


def test_the_text_has_a_line_for_each_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(KERAS_2 / "attention.h5"), str(tmp_path / "new.keras"), "--no-verify") == 0
    text = " ".join(capsys.readouterr().out.split())
    report = converted(KERAS_2 / "attention.h5", tmp_path / "other.keras", "--no-verify")[1]
    rewritten = [f["message"] for f in report["findings"] if f["code"] == "WB102"]
    assert len(rewritten) > 1
    assert [message for message in rewritten if message[:40] not in text] == []


def test_the_onnx_writer_is_loaded_for_onnx_alone(tmp_path: Path) -> None:
    """Neither checking in the library nor a conversion to Keras pays for it."""
    model = str(KERAS_2 / "plain.h5")
    script = (
        "import sys, weightbridge as wb\n"
        f"wb.check({model!r}, {model!r})\n"
        f"wb.convert({model!r}, 'new.keras', verify=False)\n"
        "before = 'weightbridge.converting.to_onnx' in sys.modules\n"
        f"wb.convert({model!r}, 'new.onnx', verify=False)\n"
        "print(before, 'weightbridge.converting.to_onnx' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
