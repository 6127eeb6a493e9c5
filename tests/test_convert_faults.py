"""convert: faults that shapes cannot show are noticed, and nothing is written then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES
from older_models import ALL
from test_convert import converted

from weightbridge.converting import lower
from weightbridge.formats.keras.architecture import flow
from weightbridge.transfer import execute

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
Change = Callable[[np.ndarray], np.ndarray]


def one_channel(array: np.ndarray) -> np.ndarray:
    """1 % in one channel of one kernel."""
    changed = array.copy()
    changed[..., 0] *= 1.01 if array.ndim == 4 else 1
    return changed


def other_flatten(array: np.ndarray) -> np.ndarray:
    """The rows of a dense layer behind a Flatten as if channels came first."""
    if array.shape != (64, 3):
        return array
    return array.reshape(4, 4, 4, 3).transpose(2, 0, 1, 3).reshape(64, 3)


def other_gates(array: np.ndarray) -> np.ndarray:
    """Input and forget gate of an LSTM in each other's place."""
    i, f, c, o = np.split(array, 4, axis=-1) if array.shape[-1] % 4 == 0 else (array,) * 4
    return np.concatenate([f, i, c, o], axis=-1) if array.shape[-1] % 4 == 0 else array


def refused(source: Path, output: Path) -> None:
    code, report = converted(source, output)
    assert (code, report["verdict"]) == (1, "fail")
    assert {"WB401"} <= {finding["code"] for finding in report["findings"]}
    assert not output.exists()


@pytest.mark.parametrize(
    ("name", "change"),
    [("plain.h5", one_channel), ("plain.h5", other_flatten), ("bidirectional.h5", other_gates)],
    ids=["one-percent", "flatten", "gates"],
)
def test_changed_values_are_noticed(
    name: str, change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = execute.transforms.apply
    monkeypatch.setattr(execute.transforms, "apply", lambda *given: change(apply(*given)))
    refused(FIXTURES / "keras2" / name, tmp_path / "new.keras")


def test_a_scaling_that_is_left_out_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "scalings", lambda graph: {})
    refused(FIXTURES / "keras2" / "hard_sigmoid.h5", tmp_path / "new.keras")


def test_layers_in_another_order_than_keras_stores_them_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older: Any = pytest.importorskip("tf_keras")
    source = tmp_path / "old.h5"
    ALL["crossed"](older, older.layers).save(source)
    assert converted(source, tmp_path / "right.keras")[0] == 0
    # What decides where weights lie.
    monkeypatch.setattr(flow, "keras_order", lambda model: model.layers[::-1])
    refused(source, tmp_path / "new.keras")
