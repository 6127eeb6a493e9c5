"""Models that run on other inputs, in other dtypes, on text, or only live: what passes and what does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [
    pytest.mark.framework,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def filled(model: Any, seed: int) -> Any:
    """Every weight from a generator of its own: no value twice."""
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if "float" in str(weight.dtype) and "state" not in weight.path:
            low = 0.5 if "variance" in weight.path or "gamma" in weight.path else -0.6
            weight.assign(random.uniform(low, low + 1.2, weight.shape))
    return model


def pooled(size: int | None, policy: str = "float32", classes: int = 3) -> Any:
    import keras

    layers, before = keras.layers, keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    image = layers.Input((size, size, 3))
    x = layers.Conv2D(6, 3, activation="relu", name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(6, 3, strides=2, name="second")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(classes, name="out", dtype="float32")(x))
    keras.config.set_dtype_policy(before)
    return model


def recurrent(batch: int | None, length: int | None, stateful: bool) -> Any:
    import keras

    layers = keras.layers
    x = layers.Input(batch_shape=(batch, length, 3))
    y = layers.LSTM(5, stateful=stateful, return_sequences=True, name="long")(x)
    return keras.Model(x, layers.Dense(2, name="out")(layers.GRU(4, stateful=stateful, name="gated")(y)))


def tokens(length: int) -> Any:
    import keras

    layers = keras.layers
    ids = layers.Input((length,), dtype="int32")
    x = layers.Embedding(30, 8, name="words")(ids)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    return keras.Model(ids, layers.Dense(2, name="out")(layers.GlobalAveragePooling1D()(x)))


SIZES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "a larger image": (lambda: pooled(16), lambda: pooled(24)),
    "a smaller image": (lambda: pooled(24), lambda: pooled(13)),
    "any image": (lambda: pooled(16), lambda: pooled(None)),
    "another length": (lambda: recurrent(None, 9, False), lambda: recurrent(None, 20, False)),
    "another batch": (lambda: recurrent(6, 7, True), lambda: recurrent(1, 1, True)),
    "no states": (lambda: recurrent(6, 7, True), lambda: recurrent(None, None, False)),
    "more tokens": (lambda: tokens(7), lambda: tokens(12)),
}


@pytest.mark.parametrize("name", SIZES)
def test_another_size_is_compared_on_a_shape_that_both_take(name: str, tmp_path: Path) -> None:
    source, target = SIZES[name]
    filled(source(), 1).save(tmp_path / "s.keras")
    filled(target(), 2).save(tmp_path / "t.keras")
    report = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=tmp_path / "o.keras")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")
    assert report.verification.evidence["comparisons"]


def test_another_size_hides_no_fault(tmp_path: Path) -> None:
    """The two kernels of one shape swapped: outputs differ, whatever the size."""
    filled(recurrent(None, 9, False), 1).save(tmp_path / "s.keras")
    filled(recurrent(None, 20, False), 2).save(tmp_path / "t.keras")
    report = wb.verify(tmp_path / "s.keras", tmp_path / "t.keras")
    assert (report.verdict, [f.code for f in report.findings]) == ("fail", ["WB401"])


def fixed(size: int) -> Any:
    """A grid that is laid out by a shape which stands in the model."""
    import keras

    layers = keras.layers
    image = layers.Input((size, size, 3))
    x = layers.Reshape((size * size, 4))(layers.Conv2D(4, 3, padding="same", name="first")(image))
    return keras.Model(image, layers.Dense(2, name="out")(layers.GlobalAveragePooling1D()(x)))


def test_where_no_shape_fits_both_all_layers_are_compared(tmp_path: Path) -> None:
    filled(fixed(6), 1).save(tmp_path / "s.keras")
    filled(fixed(8), 2).save(tmp_path / "t.keras")
    report = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=tmp_path / "o.keras")
    assert (report.verdict, report.verification.mode) == ("pass", "layers")
    assert wb.verify(tmp_path / "s.keras", tmp_path / "o.keras").verdict == "pass"


POLICIES = [
    ("mixed_bfloat16", "mixed_bfloat16"),
    ("float32", "mixed_float16"),
    ("mixed_float16", "float32"),
    ("float32", "float16"),
    ("float32", "bfloat16"),
    ("bfloat16", "float32"),
    ("float32", "float64"),
]


@pytest.mark.parametrize(("before", "after"), POLICIES, ids=["-".join(pair) for pair in POLICIES])
def test_another_dtype_is_said_and_passes(before: str, after: str, tmp_path: Path) -> None:
    filled(pooled(12, before), 1).save(tmp_path / "s.keras")
    filled(pooled(12, after), 2).save(tmp_path / "t.keras")
    report = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=tmp_path / "o.keras")
    assert report.verdict == "pass"
    narrow = before != after and "float64" not in (before, after)
    assert [(f.code, f.severity) for f in report.findings if f.code == "WB403"] == [
        ("WB403", "note")
    ] * narrow


def test_a_coarse_dtype_hides_no_fault(tmp_path: Path) -> None:
    """A bias off by a hundredth: less than what bfloat16 rounds off in a whole run."""
    model = filled(pooled(12, "mixed_bfloat16"), 1)
    model.save(tmp_path / "s.keras")
    kernel, bias = model.get_layer("second").get_weights()
    model.get_layer("second").set_weights([kernel, bias + 0.002])
    model.save(tmp_path / "t.keras")
    report = wb.verify(tmp_path / "s.keras", tmp_path / "t.keras")
    assert [f.code for f in report.findings] == ["WB401"]


def chain(activation: str) -> Any:
    import keras

    layers = [keras.layers.Dense(6, activation="tanh", name=name) for name in ("a", "b", "c")]
    last = keras.layers.Dense(6, activation=activation, name="last")
    return keras.Sequential([keras.Input((6,)), *layers, last])


def test_an_attribute_that_differs_ends_no_comparison(tmp_path: Path) -> None:
    """Two layers swapped beside a true WB403: the outputs are compared all the same."""
    filled(chain("relu"), 1).save(tmp_path / "s.keras")
    filled(chain("tanh"), 2).save(tmp_path / "t.keras")
    report = wb.transfer(
        tmp_path / "s.keras",
        tmp_path / "t.keras",
        output=tmp_path / "o.keras",
        map={"a": "b", "b": "a"},
        on_fail="return",
    )
    assert report.verdict == "fail"
    assert {"WB401", "WB403"} <= {f.code for f in report.findings}
    assert not (tmp_path / "o.keras").exists()
    said = next(f for f in report.findings if f.code == "WB401")
    assert "see the layers that differ" in said.fix
    assert [one for one in report.verification.layers if not one["passed"]]


def lookup(words: list[str], several: bool) -> Any:
    import keras

    layers = keras.layers
    text = layers.Input((1,), dtype="string")
    if several:
        x = layers.TextVectorization(vocabulary=words, output_sequence_length=4, name="cut")(text)
    else:
        x = layers.StringLookup(vocabulary=words, name="cut")(text)
    x = layers.Embedding(len(words) + 1 + several, 5, name="rows")(x)
    return keras.Model(text, layers.Dense(2, name="out")(layers.Flatten()(x)))


@pytest.mark.parametrize("several", [False, True], ids=["words", "lines"])
def test_text_is_fed_with_words_that_the_model_knows(several: bool, tmp_path: Path) -> None:
    words = ["red", "green", "blue", "cat", "dog"]
    filled(lookup(words, several), 1).save(tmp_path / "s.keras")
    filled(lookup(words, several), 2).save(tmp_path / "t.keras")
    report = wb.transfer(tmp_path / "s.keras", tmp_path / "t.keras", output=tmp_path / "o.keras")
    assert (report.verdict, report.verification.mode) == ("pass", "actual")
    np.savez(tmp_path / "p.npz", x=np.array([["red"], ["dog"], ["cow"]]))
    probed = wb.verify(tmp_path / "s.keras", tmp_path / "o.keras", probe=tmp_path / "p.npz")
    assert (probed.verdict, "samples" in probed.verification.evidence["probes"]) == ("pass", True)
    assert wb.verify(tmp_path / "s.keras", tmp_path / "t.keras").verdict == "fail"
