"""Weights of recurrent layers between Keras's layout and the one of ONNX's own operations, there and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_weights
from onnx_samples import saved

import weightbridge as wb
from weightbridge import formats

UNITS, WIDTH = 5, 4
CASES: dict[str, tuple[str, str, int, dict[str, Any], dict[str, Any], tuple[int, ...]]] = {
    "lstm": ("LSTM", "LSTM", 4, {}, {}, (4 * UNITS,)),
    "gru, reset after": ("GRU", "GRU", 3, {"reset_after": True}, {"linear_before_reset": 1}, (2, 3 * UNITS)),
    "gru, reset before": ("GRU", "GRU", 3, {"reset_after": False}, {}, (3 * UNITS,)),
    "simple rnn": ("SimpleRNN", "RNN", 1, {}, {}, (UNITS,)),
}
STORED = {"SimpleRNN": "simple_rnn"}
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2), "RNN": (0,)}  # where ONNX's gates are among Keras's


def files(folder: Path, name: str) -> tuple[Path, Path]:
    """A Keras model with random weights, and an ONNX model of the same layer with zeros."""
    keras, op, gates, options, attributes, bias = CASES[name]
    config = sequential(source("x", [3, WIDTH]), layer(keras, "rnn", units=UNITS, use_bias=True, **options))
    weights = (numbers(WIDTH, gates * UNITS), numbers(UNITS, gates * UNITS, seed=1), numbers(*bias, seed=2))
    wide = {"W": (1, gates * UNITS, WIDTH), "R": (1, gates * UNITS, UNITS), "B": (1, 2 * gates * UNITS)}
    ops = [(op, ["x", "W", "R", "B"], ["y"], {"hidden_size": UNITS, **attributes})]
    empty = saved(
        folder / "m.onnx", ops, {k: np.zeros(s, "f4") for k, s in wide.items()}, {"x": [3, "n", WIDTH]}, ["y"]
    )
    return write_keras(
        folder / "m.keras", config, {f"layers/{STORED.get(keras, keras.lower())}/cell": ("cell", weights)}
    ), empty


@pytest.mark.parametrize("name", CASES)
def test_weights_go_from_keras_into_onnx_and_back(tmp_path: Path, name: str) -> None:
    model, empty = files(tmp_path, name)
    there, back = tmp_path / "there.onnx", tmp_path / "back.keras"
    wb.transfer(model, empty, output=there, verify=False)
    wb.transfer(there, model, output=back, verify=False)
    own, again = ({t.name: t.load() for t in formats.read(path).tensors} for path in (model, back))
    assert own.keys() == again.keys()
    assert all(np.array_equal(own[n], again[n]) for n in own)


@pytest.mark.parametrize("name", CASES)
def test_gates_stand_in_onnx_s_order(tmp_path: Path, name: str) -> None:
    model, empty = files(tmp_path, name)
    wb.transfer(model, empty, output=tmp_path / "there.onnx", verify=False)
    kernel = next(t.load() for t in formats.read(model).tensors if t.role == "kernel")
    found = {t.name: t.load() for t in formats.read(tmp_path / "there.onnx").tensors}
    gates = np.split(kernel, len(ORDER[CASES[name][1]]), axis=1)
    np.testing.assert_array_equal(
        found["W"][0].T, np.concatenate([gates[i] for i in ORDER[CASES[name][1]]], axis=1)
    )


@pytest.mark.parametrize("name", ["lstm", "gru, reset before", "simple rnn"])
def test_recurrent_biases_that_keras_does_not_have_are_zeros(tmp_path: Path, name: str) -> None:
    model, empty = files(tmp_path, name)
    report = wb.transfer(model, empty, output=tmp_path / "there.onnx", verify=False)
    bias = next(t.load() for t in formats.read(tmp_path / "there.onnx").tensors if t.name == "B")[0]
    assert np.all(np.split(bias, 2)[0])
    assert not np.any(np.split(bias, 2)[1])
    assert {s["contract"] for s in report.to_json()["steps"] if s["target"] == "B"} == {"preserving"}


def test_a_gru_that_resets_elsewhere_is_another_function(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    model, _ = files(tmp_path / "a", "gru, reset before")
    _, empty = files(tmp_path, "gru, reset after")
    report = wb.check(model, empty)
    assert report.verdict == "fail"
    assert "WB301" in {f.code for f in report.findings}


def test_what_a_bidirectional_layer_runs_backwards_is_known_by_its_place_in_the_file(tmp_path: Path) -> None:
    weights = [numbers(WIDTH, 4 * UNITS), numbers(UNITS, 4 * UNITS, seed=1), numbers(4 * UNITS, seed=2)]
    groups = {
        f"layers/bidirectional/{side}_layer": (name, [])
        for side, name in (("forward", "uqx"), ("backward", "ukb"))
    }
    cells = {f"{place}/cell": ("lstm_cell", weights) for place in groups}
    found = formats.read(write_weights(tmp_path / "m.weights.h5", groups | cells)).layers
    assert {x.name.rpartition("/")[2]: x.attributes.get("go_backwards") for x in found if x.tensors} == {
        "uqx": None,
        "ukb": True,
    }
