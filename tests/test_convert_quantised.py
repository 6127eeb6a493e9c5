"""convert: Keras's own quantisation is refused, unless the floats that its codes stand for are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_convert import converted

from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


def quantised(path: Path, mode: str) -> Any:
    from keras import Input, Sequential, layers

    model = Sequential(
        [
            Input((5,), dtype="int32"),
            layers.Embedding(9, 4, name="words"),
            layers.EinsumDense("abc,cd->abd", (5, 6), bias_axes="d", name="mixed"),
            layers.Dense(7, activation="relu", name="end"),
        ]
    )
    model.quantize(mode)
    model.save(path)
    return model


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx"])
@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_the_floats_of_codes_are_written_where_asked_for(mode: str, suffix: str, tmp_path: Path) -> None:
    source, output = tmp_path / "codes.keras", tmp_path / f"floats{suffix}"
    model = quantised(source, mode)
    code, report = converted(source, output)
    assert (code, report["findings"][0]["code"]) == (4, "WB109")
    assert "--dequantize" in report["findings"][0]["fix"]
    assert not output.exists()
    code, report = converted(source, output, "--dequantize")
    assert (code, report["coverage"]["fraction"]) == (0, 1.0), report["findings"]
    assert "WB302" in {finding["code"] for finding in report["findings"]}
    assert "rounds its activations" in report["verification"]["evidence"]["claim"]
    written = {tensor.name: tensor.load() for tensor in formats.read(output).tensors}
    assert {array.dtype.name for array in written.values()} == {"float32"}
    if mode == "int8":
        layer, got = model.get_layer("end"), written["end/kernel"]
        expected = np.asarray(layer.kernel).astype("f8") / np.asarray(layer.kernel_scale)
        assert np.allclose(got if got.shape == expected.shape else got.T, expected, rtol=1e-6)


def test_what_computes_in_eight_bits_is_refused(tmp_path: Path) -> None:
    quantised(tmp_path / "eight.keras", "float8")
    code, report = converted(tmp_path / "eight.keras", tmp_path / "new.onnx", "--dequantize")
    assert (code, report["findings"][0]["code"]) == (4, "WB109")
    assert "float8" in report["findings"][0]["message"]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_weights_of_two_bytes_are_loaded_again(suffix: str, tmp_path: Path) -> None:
    from keras import Input, Sequential, layers

    model = Sequential([Input((6,)), layers.Dense(4, dtype="bfloat16"), layers.Dense(2, dtype="bfloat16")])
    model.save(tmp_path / "narrow.keras")
    code, report = converted(tmp_path / "narrow.keras", tmp_path / f"new{suffix}")
    assert (code, report["verification"]["mode"]) == (0, "actual"), report["findings"]
