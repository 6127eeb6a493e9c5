"""`verify` says how many tensors are identical: it copies nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge.report.render.renderers import renderer

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def dense(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(4, name="one", activation="tanh"), keras.layers.Dense(3, name="two")]
    return keras.Sequential([keras.Input((5,)), *layers])


def test_what_is_identical_is_counted(tmp_path: Path) -> None:
    model, other = dense(0), dense(0)
    other.get_layer("two").kernel.assign(np.ones((4, 3), "float32"))
    model.save(tmp_path / "a.keras")
    other.save(tmp_path / "b.keras")
    same, differing = (wb.verify(tmp_path / "a.keras", tmp_path / f"{name}.keras") for name in "ab")
    assert same.verification.evidence["tensors"] == {"identical": 4, "matched": 4, "total": 4}
    assert differing.verification.evidence["tensors"] == {"identical": 3, "matched": 4, "total": 4}
    text = renderer("text")(differing.to_json())
    assert "3 of 4 tensors identical" in text
    assert "copied" not in text
