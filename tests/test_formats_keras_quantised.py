"""Keras's own quantisation: the floats are computed where scales are known, and nothing is where they are
not.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_legacy, write_weights

from weightbridge import api, formats
from weightbridge.api.converting import convert
from weightbridge.errors import WeightbridgeError

CODES = np.arange(-12, 12, dtype="i1").reshape(4, 6)
SCALE = np.linspace(1, 3, 6, dtype="f4")
BIAS = numbers(6)


def policy(mode: str) -> dict[str, Any]:
    return {"class_name": "QuantizedDTypePolicy", "config": {"mode": mode, "source_name": "float32"}}


def dense(mode: str = "") -> dict[str, Any]:
    dtype = {"dtype": policy(mode)} if mode else {}
    return sequential(source("x", [4]), layer("Dense", "head", units=6, **dtype))


def packed(values: np.ndarray) -> np.ndarray:
    """Two codes of 4 bits in a byte, the first one in the lower half."""
    low, high = values[:, 0::2], values[:, 1::2]
    return ((low & 0x0F) | (high << 4)).astype("i1")


def moved(tmp_path: Path, given: Path) -> tuple[np.ndarray, Any]:
    target = write_keras(
        tmp_path / "t.keras", dense(), {"layers/dense": ("head", (numbers(4, 6), numbers(6)))}
    )
    report = api.transfer(given, target, output=tmp_path / "out.keras", verify=False, fail_on="never")
    return formats.read(tmp_path / "out.keras").tensor_by_name["head/kernel"].load(), report


@pytest.mark.parametrize("has_config", [True, False], ids=["model", "weights alone"])
def test_int8_becomes_floats(tmp_path: Path, has_config: bool) -> None:
    groups = {"layers/dense": ("head", (CODES, BIAS, SCALE))}
    if has_config:
        given = write_keras(tmp_path / "q.keras", dense("int8"), groups)
    else:
        given = write_weights(tmp_path / "q.weights.h5", groups)
    kernel, report = moved(tmp_path, given)
    assert np.allclose(kernel, CODES / SCALE)
    assert [(f.code, f.severity) for f in report.findings] == [("WB109", "warning")]


def test_int4_in_groups_becomes_floats(tmp_path: Path) -> None:
    codes = np.arange(-8, 16, dtype="i1").reshape(4, 6) % 8 - 4
    scale, zero = numbers(2, 6), np.ones((2, 6), "i1")
    groups = np.array([0, 0, 1, 1], "f4")
    arrays = (packed(codes), BIAS, scale, zero, groups)
    given = write_keras(tmp_path / "q.keras", dense("int4/2"), {"layers/dense": ("head", arrays)})
    kernel, _ = moved(tmp_path, given)
    rows = groups.astype(int)
    assert np.allclose(kernel, (codes - zero[rows]) * scale[rows])


def test_codes_without_a_known_scale_are_refused(tmp_path: Path) -> None:
    arrays = (BIAS, CODES.astype("u1"), numbers(1, 6), numbers(1, 6), numbers(4))
    given = write_keras(tmp_path / "q.keras", dense("gptq/4/128"), {"layers/dense": ("head", arrays)})
    _, report = moved(tmp_path, given)
    assert ("WB109", "error") in [(f.code, f.severity) for f in report.findings]
    steps = {step.target: step.sources for step in report.plan.steps} if hasattr(report, "plan") else {}
    assert not steps.get("head/kernel")


def test_floats_do_not_enter_codes(tmp_path: Path) -> None:
    arrays = (CODES, BIAS, SCALE)
    target = write_keras(tmp_path / "q.keras", dense("int8"), {"layers/dense": ("head", arrays)})
    given = write_keras(
        tmp_path / "t.keras", dense(), {"layers/dense": ("head", (numbers(4, 6), numbers(6)))}
    )
    sources = {step.target: step.sources for step in api.plan(given, target).steps}
    assert not sources["head/kernel"]
    assert sources["head/bias"] == ("head/bias",)


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_attention_that_keras_quantised_becomes_floats(tmp_path: Path, mode: str) -> None:
    """What packing has flattened has its heads again."""
    import keras

    def attention() -> Any:
        x = keras.Input((5, 8))
        return keras.Model(x, keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x))

    source = attention()
    before = {weight.path: keras.ops.convert_to_numpy(weight) for weight in source.weights}
    source.quantize(mode)
    source.save(tmp_path / "s.keras")
    attention().save(tmp_path / "t.keras")
    api.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=tmp_path / "o.keras", verify=False)
    found = formats.read(tmp_path / "o.keras").tensor_by_name
    for name in ("query", "key", "value", "attention_output"):
        kernel = before[f"attention/{name}/kernel"]
        got = found[f"attention/{name}/kernel"].load()
        assert got.shape == kernel.shape
        assert np.abs(got - kernel).max() <= 0.15 * np.abs(kernel).max()


def _legacy(tmp_path: Path, mode: str, **arrays: np.ndarray) -> Path:
    weights = {"head": {f"model/head/{role}": array for role, array in arrays.items()}}
    return write_legacy(tmp_path / "q.h5", weights, dense(mode))


def test_int8_of_the_legacy_layout_becomes_floats(tmp_path: Path) -> None:
    given = _legacy(tmp_path, "int8", bias=BIAS, kernel=CODES, kernel_scale=SCALE)
    kernel, report = moved(tmp_path, given)
    assert np.allclose(kernel, CODES / SCALE)
    assert [(f.code, f.severity) for f in report.findings] == [("WB109", "warning")]


def test_lora_of_the_legacy_layout_is_refused_by_name(tmp_path: Path) -> None:
    """Its factors stand beside the kernel, which alone is another function."""
    factors = {"lora_kernel_a": numbers(4, 2), "lora_kernel_b": numbers(2, 6)}
    given = _legacy(tmp_path, "", bias=BIAS, kernel=numbers(4, 6), **factors)
    (said,) = (f for f in api.inspect(given).findings if f.code == "WB109")
    assert said.severity == "error"
    assert said.message.endswith("not added: head")
    with pytest.raises(WeightbridgeError, match="LoRA"):
        convert(given, tmp_path / "o.onnx", verify=False)
