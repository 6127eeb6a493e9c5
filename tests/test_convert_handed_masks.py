"""convert from ONNX to Keras: Keras hands masks on to what stands behind, which a source may not mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import saved, values
from test_convert import run

from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.sequences.ended_masks import end_masks
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.errors import Unsupported

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
FLOATS = 1  # as ONNX numbers its types of elements
MASKED = [
    ("Equal", ["x", "zero"], ["same"], {}),
    ("Not", ["same"], ["other"], {}),
    ("Cast", ["other"], ["counted"], {"to": FLOATS}),
    ("ReduceMax", ["counted"], ["any"], {"axes": [2], "keepdims": 1}),
    ("Mul", ["x", "any"], ["kept"], {}),
    ("MatMul", ["kept", "kernel"], ["features"], {}),
]
BEHIND = {
    "nothing": ([("Tanh", ["features"], ["y"], {})], False),
    "a mean": ([("ReduceMean", ["features"], ["y"], {"axes": [1], "keepdims": 0})], True),
    "a softmax": ([("Softmax", ["features"], ["y"], {"axis": 1})], True),
    "a product": ([("Mul", ["features", "any"], ["y"], {})], False),
}
LAYERS = {
    "recurrent": lambda k, x, i: k.LSTM(3)(_shown(k, x)),
    "both ways": lambda k, x, i: k.Bidirectional(k.GRU(3))(k.Dense(4)(_shown(k, x))),
    "mean": lambda k, x, i: k.GlobalAveragePooling1D()(_shown(k, x)),
    "attention": lambda k, x, i: k.Attention()([_shown(k, x)] * 2),
    "maximum": lambda k, x, i: k.Maximum()([_shown(k, x), i]),
    "along steps": lambda k, x, i: k.LSTM(3)(k.Concatenate(axis=1)([_shown(k, x), i])),
    "for each step": lambda k, x, i: _for_each_step(k, x),
    "both": lambda k, x, i: k.Concatenate()([k.LSTM(3)(x), k.LSTM(3)(_shown(k, x))]),
    "masked": lambda k, x, i: k.LSTM(3)(k.Activation("tanh")(k.LayerNormalization()(x))),
}
NOTHING_ENDED = {"masked", "for each step"}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_mask_ends_in_front_of_what_the_source_does_not_mask(behind: str, tmp_path: Path) -> None:
    nodes, is_ended = BEHIND[behind]
    tensors = {"zero": np.float32(0.0).reshape(()), "kernel": values((3, 4))}
    path = saved(tmp_path / "m.onnx", [*MASKED, *nodes], tensors, {"x": ["n", 5, 3]}, ("y",))
    model = _converted(path)
    names = [type(layer).__name__ for layer in model.layers]
    assert ("Masking" in names, "Reshape" in names) == (True, is_ended)
    _assert_equal(path, model, _with_empty_steps(3))


@pytest.mark.parametrize(("behind", "suffix"), [*((one, ".keras") for one in LAYERS), ("both", ".h5")])
def test_layers_behind_a_masked_one(behind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    _model(behind).save(tmp_path / "m.keras")
    assert run(str(tmp_path / "m.keras"), str(path), "--no-verify", "--quiet") == 0
    model = _converted(path, suffix)
    is_ended = any(layer.name.endswith("_unmasked") for layer in model.layers)
    assert is_ended == (behind not in NOTHING_ENDED)
    _assert_equal(path, model, _with_empty_steps(4))


@pytest.mark.parametrize(("has", "wants"), [("a", "b"), (None, "a")])
def test_a_mask_that_is_not_the_sources_is_refused(has: str | None, wants: str) -> None:
    writer = Writer()
    value = writer.input("x", plain([None, 5, 4]), "float32")
    if has:
        value = Value(writer.layer("Masking", "masking", {}, value), 0, 0, value.layout)
        writer.masks[value.layer, 0] = has
    writer.layer("LSTM", "lstm", {"units": 3, "return_sequences": True}, value)
    writer.masks["lstm", 0] = wants
    with pytest.raises(Unsupported, match="the mask of lstm in the source"):
        end_masks(writer)


def _shown(layers: Any, x: Any) -> Any:
    """Without its mask."""
    return layers.Reshape(x.shape[1:])(x)


def _for_each_step(layers: Any, x: Any) -> Any:
    x = layers.TimeDistributed(layers.Conv1D(3, 3))(layers.Reshape((5, 4, 1))(x))
    return layers.LSTM(3)(layers.Reshape((5, 6))(x))


def _model(behind: str) -> Any:
    import keras

    keras.utils.set_random_seed(1)
    given = keras.Input((5, 4))
    x = keras.layers.LSTM(4, return_sequences=True)(keras.layers.Masking()(given))
    return keras.Model(given, LAYERS[behind](keras.layers, x, given))


def _converted(path: Path, suffix: str = ".keras") -> Any:
    import keras

    output = path.with_name(f"back{suffix}")
    assert run(str(path), str(output), "--no-verify", "--quiet") == 0
    return keras.models.load_model(output)


def _with_empty_steps(features: int) -> np.ndarray:
    x = values((3, 5, features), seed=3) - 0.5
    x[0, 3:], x[1, 1] = 0, 0
    return x


def _assert_equal(path: Path, model: Any, x: np.ndarray) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=2e-6)
