"""convert: models of Keras 1 with branches give what their formula says, worked out here by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from branched_models import (
    CASES,
    MODES,
    A,
    B,
    Entry,
    branch,
    dense,
    entry,
    merge,
    write_branched,
    write_case,
)
from test_convert import converted

from weightbridge import formats
from weightbridge.formats.keras.evaluate.runner import runner
from weightbridge.model.tensors import Array


def weights(path: Path) -> dict[str, Array]:
    return {
        f"{t.name.rpartition('/')[0]}/{t.role}": t.load().astype("f8") for t in formats.read(path).tensors
    }


def tanh(x: Array, held: Mapping[str, Array], name: str) -> Array:
    return np.tanh(x @ held[f"{name}/kernel"] + held[f"{name}/bias"])


def cosine(a: Array, b: Array) -> Array:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((np.sum(a * b, axis=1) / lengths)[:, np.newaxis])


JOINED: Mapping[str, Callable[[Array, Array], Array]] = {
    "merge-sum": lambda a, b: a + b,
    "merge-mul": lambda a, b: a * b,
    "merge-concat": lambda a, b: np.concatenate([a, b], axis=1),
    "merge-ave": lambda a, b: (a + b) / 2,
    "merge-max": np.maximum,
    "merge-dot": lambda a, b: np.sum(a * b, axis=1, keepdims=True),
    "merge-cos": cosine,
}


@pytest.mark.parametrize("name", JOINED)
def test_branches_are_joined_as_keras_1_did(name: str, tmp_path: Path) -> None:
    source, output = write_case(tmp_path / "old.h5", name), tmp_path / "new.keras"
    assert converted(source, output, "--no-verify")[0] == 0
    x, y = (np.random.default_rng(n).normal(size=(4, n)) for n in (3, 5))
    held = weights(source)
    expected = tanh(JOINED[name](tanh(x, held, "a"), tanh(y, held, "b")), held, "end")
    got = runner(formats.read(output), "float64").run({"a_input": x, "b_input": y})
    assert np.allclose(got["end"], expected, rtol=1e-9, atol=1e-12)


def test_a_layer_in_two_branches_is_one_layer(tmp_path: Path) -> None:
    source, output = write_case(tmp_path / "old.h5", "merge-shared"), tmp_path / "new.keras"
    assert converted(source, output, "--no-verify")[0] == 0
    x, held = np.random.default_rng(1).normal(size=(4, 3)), weights(source)
    first = tanh(x, held, "shared")
    expected = tanh(first + tanh(first, held, "more"), held, "end")
    model = runner(formats.read(output), "float64")
    assert [spec.name for spec in model.inputs] == ["shared_input"]
    assert np.allclose(model.run({"shared_input": x})["end"], expected, rtol=1e-9)


def test_nested_models_without_a_name_get_that_of_the_file(tmp_path: Path) -> None:
    """A Sequential of Keras 1 does not say its own name: the file's list of layers does."""
    body = branch(branch(dense("a", 4, 3)), branch(dense("b", 2, 4)), dense("end", 2))
    widths = {"a": (3, 4), "b": (4, 2), "end": (2, 2)}
    source = write_branched(
        tmp_path / "old.h5", body, widths, groups={"a": "sequential_3", "b": "sequential_4"}
    )
    code, report = converted(source, tmp_path / "new.keras", "--no-verify")
    assert (code, report["coverage"]["fraction"]) == (0, 1.0)
    assert {layer.name for layer in formats.read(tmp_path / "new.keras").layers} >= {
        "sequential_3/a",
        "sequential_4/b",
    }


def sequence(name: str) -> Entry:
    return branch(entry("Activation", name, activation="tanh", batch_input_shape=[None, 4, 3]))


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        (merge("m", "cos", sequence("a"), sequence("b"), dot_axes=[2, 2]), "cosine of Keras 1"),
        (merge("m", "def f(x): return x", A, B, mode_type="lambda"), "the class Merge"),
    ],
    ids=["cosine-of-sequences", "function"],
)
def test_what_keras_3_cannot_join_is_refused(joined: Entry, said: str, tmp_path: Path) -> None:
    source = write_branched(tmp_path / "old.h5", branch(joined), {})
    code, report = converted(source, tmp_path / "new.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert said in report["findings"][0]["message"]


def test_two_layers_of_one_name_are_no_shared_layer(tmp_path: Path) -> None:
    other = branch(dense("a", 4, 3, activation="relu"))
    source = write_branched(tmp_path / "old.h5", branch(merge("m", "sum", A, other)), {"a": (3, 4)})
    code, report = converted(source, tmp_path / "new.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB904")
    assert "two layers" in report["findings"][0]["message"]


def test_every_mode_has_its_formula() -> None:
    assert {f"merge-{mode}" for mode in MODES} <= JOINED.keys() <= CASES.keys()
