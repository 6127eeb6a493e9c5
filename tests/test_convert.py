"""convert: old Keras files become Keras 3's, without a framework; what cannot be converted is refused."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from keras_files import FIXTURES

from weightbridge import formats
from weightbridge.cli import main

KERAS_2 = FIXTURES / "keras2"
CONVERTED = (
    *("attention.h5", "bidirectional.h5", "cells.h5", "depthwise.h5", "functional.keras", "hard_sigmoid.h5"),
    *("nested.h5", "nested_frozen.h5", "nested_twice.h5", "norm.keras", "plain.h5", "plain.keras"),
    *("recurrent.h5", "shared.h5"),
)


def converted(source: Path, output: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the report."""
    report = output.with_suffix(".json")
    code = run(str(source), str(output), "--quiet", "--report", f"json={report}", *options)
    return code, json.loads(report.read_text())


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["convert", *arguments])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", CONVERTED)
def test_every_tensor_arrives_without_a_framework(name: str, tmp_path: Path) -> None:
    output = tmp_path / "new.keras"
    code, report = converted(KERAS_2 / name, output, "--no-verify")
    assert (code, report["coverage"]["fraction"]) == (0, 1.0)
    assert report["target"]["path"] == str(output)
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


@pytest.mark.parametrize("name", ["new.onnx", "new.safetensors", "new"])
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
