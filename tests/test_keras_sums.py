"""Sums that Keras's TensorFlow backend adds along another axis for some lengths of a batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]


def model(kind: str) -> Any:
    import keras
    from keras import layers as k

    x = keras.Input({"first": (3, 6, 6), "fixed": (4, 6)}.get(kind, (2,)))
    match kind:
        case "batch":
            y = k.Add()([x, k.Dense(1)(x)])
        case "first":
            y = k.Conv2D(4, 3, data_format="channels_first")(x)
        case _:
            y = k.EinsumDense("abd,dhe->abhe", output_shape=(4, 4, 5), bias_axes="h")(x)
    made = keras.Model(x, y)
    rng = np.random.default_rng(1)
    made.set_weights([(rng.normal(size=w.shape) * 0.5 + 0.2).astype("f4") for w in made.weights])
    return made


@pytest.mark.parametrize(
    ("inputs", "bias", "wrong"),
    [
        ((2, 2), (2, 1), True),
        ((3, 2), (3, 1), False),
        ((2, 5), (5,), False),
        ((2, 4, 4, 4), (1, 4, 1, 1), True),
        ((2, 4, 5, 6), (1, 4, 1, 1), False),
        ((2, 4, 4, 5), (4, 1), True),
        ((2, 7, 4, 5), (4, 1), False),
        ((None, 3), (None, 1), False),
        ((), (3,), False),
    ],
)
def test_which_sums_take_another_axis(inputs: Any, bias: Any, wrong: bool) -> None:
    from weightbridge.formats.keras.framework.sums import is_misplaced

    assert is_misplaced(inputs, bias) == wrong


@pytest.mark.parametrize("kind", ["batch", "first"])
def test_what_is_right_for_batches_of_any_length_is_compared_so(kind: str, tmp_path: Path) -> None:
    made = model(kind)
    runner = formats.runner(made)
    name = runner.inputs[0].name
    feeds = np.random.default_rng(0).normal(size=(5, *made.input_shape[1:])).astype("f4")
    found = [runner.run({name: feeds[:length]})[runner.outputs[0]] for length in (2, 5)]
    np.testing.assert_allclose(found[0], found[1][:2], rtol=1e-5)
    np.testing.assert_allclose(found[1], made.predict(feeds, verbose=0), rtol=1e-4, atol=1e-5)
    made.save(tmp_path / "m.keras")
    assert wb.convert(tmp_path / "m.keras", tmp_path / "m.onnx").verdict == "pass"


def test_what_is_wrong_for_all_batches_fails_and_says_why(tmp_path: Path) -> None:
    model("fixed").save(tmp_path / "m.keras")
    report = wb.convert(tmp_path / "m.keras", tmp_path / "m.onnx", on_fail="return")
    assert [f.code for f in report.findings] == ["WB401"]
    assert "another axis than on JAX and torch at (None, 4, 4, 5) + (4, 1)" in report.findings[0].message
