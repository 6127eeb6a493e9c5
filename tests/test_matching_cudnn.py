"""CuDNNLSTM and CuDNNGRU of Keras 2 against LSTM and GRU: gates transposed, biases in one row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import functional, layer, numbers, sequential, source, write_keras, write_legacy

from weightbridge import api, formats

UNITS, INPUTS = 3, 5
GATES = {"LSTM": 4, "GRU": 3}
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


def plain(op: str, seed: int = 0) -> Arrays:
    """Kernel, recurrent kernel and bias as Keras keeps them."""
    wide = GATES[op] * UNITS
    bias = numbers(wide, seed=seed) if op == "LSTM" else numbers(2, wide, seed=seed)
    return numbers(INPUTS, wide, seed=seed), numbers(UNITS, wide, seed=seed), bias


def for_cudnn(op: str, arrays: Arrays) -> Arrays:
    """The formulas of `_convert_rnn_weights` of Keras 2, by loops."""
    kernel, recurrent, bias = arrays
    blocks = np.split(kernel, GATES[op], axis=1)
    turned = [block.T.reshape(block.shape) for block in blocks]
    recurrents = [block.T for block in np.split(recurrent, GATES[op], axis=1)]
    row = np.concatenate([bias, np.zeros_like(bias)]) if op == "LSTM" else bias.reshape(-1)
    return np.concatenate(turned, axis=1), np.concatenate(recurrents, axis=1), row


def named(prefix: str, arrays: Arrays) -> dict[str, np.ndarray]:
    roles = ("kernel", "recurrent_kernel", "bias")
    return {f"{prefix}/{role}:0": array for role, array in zip(roles, arrays, strict=True)}


def older(op: str, *, both: bool = False) -> dict[str, Any]:
    cell = layer(f"CuDNN{op}", "cell", module="", units=UNITS, batch_input_shape=[None, 7, INPUTS])
    if both:
        cell = layer("Bidirectional", "both", module="", layer=cell, merge_mode="concat")
    return {"class_name": "Sequential", "config": {"name": "m", "layers": [cell]}}


def today(path: Path, op: str, *, both: bool = False, name: str = "cell") -> Path:
    options = {"reset_after": True} if op == "GRU" else {}
    cell = layer(op, name, units=UNITS, **options)
    folder = op.lower()
    groups = {f"layers/{folder}/cell": ("", plain(op, 9))}
    if both:
        cell = layer("Bidirectional", "both", layer=cell, merge_mode="concat")
        groups = {
            f"layers/bidirectional/{way}_layer/cell": ("", plain(op, seed))
            for way, seed in (("forward", 7), ("backward", 8))
        }
    return write_keras(path, sequential(source("x", [7, INPUTS]), cell), groups)


def moved(tmp_path: Path, given: Path, target: Path) -> dict[str, np.ndarray]:
    output = tmp_path / f"out{target.suffix}"
    api.transfer(given, target, output=output, verify=False, fail_on="never")
    return {tensor.name: tensor.load() for tensor in formats.read(output).tensors}


@pytest.mark.parametrize("has_config", [True, False], ids=["model", "weights alone"])
@pytest.mark.parametrize("name", ["cell", "rnn"])
@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_cudnn_becomes_plain(tmp_path: Path, op: str, name: str, has_config: bool) -> None:
    weights = {"cell": named("cell", for_cudnn(op, plain(op)))}
    given = write_legacy(tmp_path / "old.h5", weights, older(op) if has_config else None, version="2.2.4")
    written = moved(tmp_path, given, today(tmp_path / "new.keras", op, name=name))
    for role, value in zip(("kernel", "recurrent_kernel", "bias"), plain(op), strict=True):
        assert np.array_equal(written[f"{name}/{role}"], value)


@pytest.mark.parametrize("has_config", [True, False], ids=["model", "weights alone"])
@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_plain_becomes_cudnn(tmp_path: Path, op: str, has_config: bool) -> None:
    weights = {"cell": named("cell", for_cudnn(op, plain(op, 1)))}
    target = write_legacy(tmp_path / "old.h5", weights, older(op) if has_config else None, version="2.2.4")
    written = moved(tmp_path, today(tmp_path / "new.keras", op), target)
    for role, value in zip(("kernel", "recurrent_kernel", "bias"), for_cudnn(op, plain(op, 9)), strict=True):
        assert np.array_equal(written[f"cell/{role}"], value)


@pytest.mark.parametrize("has_config", [True, False], ids=["model", "weights alone"])
@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_both_directions(tmp_path: Path, op: str, has_config: bool) -> None:
    ways = {way: for_cudnn(op, plain(op, seed)) for way, seed in (("forward", 1), ("backward", 2))}
    weights = {"both": {k: v for way, a in ways.items() for k, v in named(f"both/{way}_cell", a).items()}}
    config = older(op, both=True) if has_config else None
    given = write_legacy(tmp_path / "old.h5", weights, config, version="2.2.4")
    written = moved(tmp_path, given, today(tmp_path / "new.keras", op, both=True))
    for way, seed in (("forward", 1), ("backward", 2)):
        for role, value in zip(("kernel", "recurrent_kernel", "bias"), plain(op, seed), strict=True):
            assert np.array_equal(written[f"both/{way}_cell/{role}"], value)


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_between_two_of_cudnn_is_a_copy(tmp_path: Path, op: str) -> None:
    paths = []
    for n in (1, 2):
        weights = {"cell": named("cell", for_cudnn(op, plain(op, n)))}
        paths.append(write_legacy(tmp_path / f"{n}.h5", weights, older(op), version="2.2.4"))
    plan = api.plan(*paths)
    assert {step.transform for step in plan.steps} == {""}


def test_other_sizes_are_not_adapted(tmp_path: Path) -> None:
    """The axes of CuDNN's kernels cannot be cut: no step, and WB201."""
    weights = {"cell": named("cell", for_cudnn("LSTM", plain("LSTM")))}
    given = write_legacy(tmp_path / "old.h5", weights, older("LSTM"), version="2.2.4")
    wide = layer("LSTM", "cell", units=UNITS + 1)
    arrays = (numbers(INPUTS, 16), numbers(4, 16), numbers(16))
    target = write_keras(
        tmp_path / "new.keras", sequential(source("x", [7, INPUTS]), wide), {"layers/lstm/cell": ("", arrays)}
    )
    report = api.check(given, target)
    assert "WB201" in {finding.code for finding in report.findings}


def test_a_layer_that_resets_before_is_refused(tmp_path: Path) -> None:
    weights = {"cell": named("cell", for_cudnn("GRU", plain("GRU")))}
    given = write_legacy(tmp_path / "old.h5", weights, older("GRU"), version="2.2.4")
    cell = layer("GRU", "cell", units=UNITS, reset_after=False)
    arrays = (*plain("GRU")[:2], numbers(9))
    config = functional([source("x", [7, INPUTS]), cell], {"cell": [["x"]]}, [["cell", 0, 0]])
    target = write_keras(tmp_path / "new.keras", config, {"layers/gru/cell": ("", arrays)})
    assert "WB301" in {finding.code for finding in api.check(given, target).findings}
