"""Faults planted in what a conversion of recurrent layers to ONNX writes: all are noticed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from first_models import write_first
from onnx_models import chain
from test_convert import converted
from test_convert_onnx import saved

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says


def _recurrent() -> Any:
    from keras import layers as k

    return chain(
        (6, 5),
        k.Bidirectional(k.LSTM(4, return_sequences=True, name="cell"), name="both"),
        k.GRU(3, name="gru"),
        k.Dense(4, name="out"),
    )


def _gates(count: int, *order: int) -> Callable[[Any], Any]:
    def swapped(value: Any) -> Any:
        blocks = np.split(value, count, axis=-1)
        return np.concatenate([blocks[n] for n in order], axis=-1)

    return swapped


FAULTS = {
    "input-and-forget": ("both/backward_cell/kernel", _gates(4, 1, 0, 2, 3)),
    "cell-and-output": ("both/forward_cell/recurrent_kernel", _gates(4, 0, 1, 3, 2)),
    "update-and-reset": ("gru/kernel", _gates(3, 1, 0, 2)),
    "both-biases": ("gru/bias", lambda value: value[::-1]),
    "one-percent": ("gru/recurrent_kernel", lambda value: value * np.where(np.arange(9) == 1, 1.01, 1)),
    "none": ("gru/kernel", lambda value: value),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_recurrent_layer_is_noticed(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weightbridge.transfer import execute

    source, output = saved(_recurrent, tmp_path / "model.keras"), tmp_path / "model.onnx"
    tensor, changed = FAULTS[fault]
    loaded, seen = execute._loaded, []

    def faulty(given: Any, step: Any, ledger: Any) -> Any:
        value = loaded(given, step, ledger)
        seen.append(given.name)
        return changed(value).astype("float32") if given.name == tensor else value

    monkeypatch.setattr(execute, "_loaded", faulty)
    code, report = converted(source, output)
    assert tensor in seen
    expected = (0, True, set()) if fault == "none" else (1, False, {"WB401"})
    assert (code, output.exists(), {found["code"] for found in report["findings"]}) == expected


def test_the_slope_of_a_newer_hard_sigmoid_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weightbridge.converting.to_onnx.sequences import recurrent_node

    source, output = write_first(tmp_path / "old.h5", "gru-of-2.0"), tmp_path / "model.onnx"
    monkeypatch.setattr(recurrent_node, "CALLED", {})  # 1/6, as Keras 3 computes it
    code, report = converted(source, output)
    assert (code, output.exists()) == (1, False)
    assert "WB401" in {found["code"] for found in report["findings"]}


def _mute() -> Any:
    """Its last product is with zeros: outputs say nothing of the layers before. All lengths are the same."""
    from keras import layers as k

    return chain(
        (8, 8, 8), k.Conv2D(8, 3, padding="same", name="c"), k.GlobalMaxPooling2D(), k.Dense(3, name="d")
    )


@pytest.mark.parametrize("fault", ["none", "flipped"])
def test_layers_are_compared_where_outputs_say_nothing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keras import saving

    from weightbridge.transfer import execute

    source, output = saved(_mute, tmp_path / "model.keras"), tmp_path / "model.onnx"
    model = saving.load_model(source)
    model.get_layer("d").kernel.assign(np.zeros((8, 3)))
    model.save(source)
    loaded = execute._loaded

    def faulty(given: Any, step: Any, ledger: Any) -> Any:
        value = loaded(given, step, ledger)
        return value[::-1].copy() if given.name == "c/kernel" and fault == "flipped" else value

    monkeypatch.setattr(execute, "_loaded", faulty)
    code, report = converted(source, output)
    expected = (0, True, set()) if fault == "none" else (1, False, {"WB402"})
    assert (code, output.exists(), {found["code"] for found in report["findings"]}) == expected
    assert len(report["verification"]["layers"]) == 2
