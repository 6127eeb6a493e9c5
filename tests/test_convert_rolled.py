"""What exporters unroll is one layer again: steps of a sequence, both directions of a recurrent layer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import randomised
from onnx_samples import Op, saved, values
from test_convert import classes_of, converted

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
STEPS = 3
NUMBERS = {f"n{n}": np.array([n], np.int64) for n in range(STEPS + 1)}


def test_tagger_by_tf2onnx(tmp_path: Path) -> None:
    from keras import Input, Model, layers

    words = Input((6,), dtype="int32", name="words")
    x = layers.Embedding(20, 5, name="table")(words)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(3, activation="softmax"), name="each")(x)
    model: Any = randomised(Model(words, x))
    model.save(tmp_path / "m.keras")
    assert converted(tmp_path / "m.keras", tmp_path / "m.onnx", "--engine", "tf2onnx")[0] == 0
    assert converted(tmp_path / "m.onnx", tmp_path / "again.keras")[0] == 0
    found = classes_of(tmp_path / "again.keras")
    # tf2onnx names a kernel that is read at each step after any of them, by the order of a set: where that
    # is another than the last, the softmax has another scope, and stays a layer of its own
    assert [name for name in found if name != "Softmax"] == [
        "InputLayer",
        "Embedding",
        "Bidirectional",
        "Dense",
    ]
    assert found.count("Softmax") <= 1


def unrolled(order: tuple[int, ...] = (0, 1, 2), weights: tuple[str, ...] = ("w", "w", "w")) -> list[Op]:
    """A product on each step of (n, 3, 4), joined in this order."""
    ops: list[Op] = []
    for n, weight in enumerate(weights):
        ops += [
            ("Slice", ["x", f"n{n}", f"n{n + 1}", "n1"], [f"cut{n}"], {}),
            ("Squeeze", [f"cut{n}", "n1"], [f"step{n}"], {}),
            ("MatMul", [f"step{n}", weight], [f"dense{n}"], {}),
            ("Relu", [f"dense{n}"], [f"relu{n}"], {}),
            ("Unsqueeze", [f"relu{n}", "n1"], [f"back{n}"], {}),
        ]
    return [*ops, ("Concat", [f"back{n}" for n in order], ["y"], {"axis": 1})]


def made(path: Path, ops: list[Op]) -> list[str]:
    tensors = {**NUMBERS, "w": values((4, 5)), "v": values((4, 5), 1)}
    saved(path / "m.onnx", ops, tensors, {"x": ["n", STEPS, 4]}, ("y",))
    assert converted(path / "m.onnx", path / "m.keras")[0] == 0
    return classes_of(path / "m.keras")


def test_the_same_on_each_step(tmp_path: Path) -> None:
    assert made(tmp_path, unrolled()) == ["InputLayer", "Dense", "ReLU"]


@pytest.mark.parametrize(
    ("ops", "kernels"),
    [
        (unrolled(order=(0, 2, 1)), 1),
        (unrolled(weights=("w", "v", "w")), 2),
        (unrolled((0, 1), ("w", "w")), 1),
    ],
    ids=["another order", "other weights", "some steps alone"],
)
def test_what_only_looks_like_it_stays(ops: list[Op], kernels: int, tmp_path: Path) -> None:
    found = made(tmp_path, ops)
    assert "Concatenate" in found
    assert found.count("Dense") == kernels
