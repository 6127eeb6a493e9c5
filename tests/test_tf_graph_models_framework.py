"""What plain SavedModels and frozen graphs hold of whole models: attention, Normalization, exact GELU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # of TensorFlow and Keras


def _attention() -> Any:
    """Queries, keys and values by kernels of three axes, an exact GELU, numbers that come normalised."""
    import keras

    k = keras.layers
    data = k.Input((6, 8))
    known = k.Normalization(mean=np.linspace(-1.0, 1.0, 8), variance=np.linspace(0.5, 2.0, 8))(data)
    x = k.Add()([known, k.MultiHeadAttention(2, 5)(known, known)])
    x = k.Dense(16, activation="gelu")(k.LayerNormalization()(x))
    return keras.Model(data, k.Dense(3)(k.GlobalAveragePooling1D()(x)))


def _written(model: Any, folder: Path) -> tuple[Path, Path]:
    """A SavedModel of a function alone, and the same frozen."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [tf.TensorSpec((None, *one.shape[1:]), one.dtype, name="x") for one in model.inputs]
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.serve = tf.function(model, input_signature=specs)
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.serve.get_concrete_function())
    frozen = convert_variables_to_constants_v2(module.serve.get_concrete_function()).graph
    (folder / "frozen.pb").write_bytes(frozen.as_graph_def().SerializeToString())
    return folder / "saved", folder / "frozen.pb"


def test_attention_and_normalization_are_keras_s_own_layers(tmp_path: Path) -> None:
    import keras

    model = _attention()
    data = np.random.default_rng(1).normal(size=(3, *model.inputs[0].shape[1:])).astype("float32")
    expected = model(data).numpy()
    for number, path in enumerate(_written(model, tmp_path)):
        output = tmp_path / f"{number}.keras"
        assert wb.convert(path, output, evidence="quick").ok
        converted = keras.models.load_model(output)
        classes = [type(layer).__name__ for layer in converted.layers]
        assert {"MultiHeadAttention", "Normalization"} <= {*classes}
        assert len(classes) <= len(model.layers) + 1  # the activation by itself
        assert np.allclose(converted(data).numpy(), expected, rtol=1e-5, atol=1e-6)


def _recurrent() -> Any:
    import keras

    k = keras.layers
    data = k.Input((7, 4))
    x = k.Bidirectional(k.LSTM(5, return_sequences=True))(data)
    return keras.Model(data, [k.Dense(2)(k.GRU(3)(x)), k.SimpleRNN(4, activation="relu")(x)])


def test_loops_that_a_frozen_graph_has_in_pieces_are_keras_s_layers(tmp_path: Path) -> None:
    """Enter, Merge, Switch and NextIteration: what freezing makes of every loop."""
    import keras

    model = _recurrent()
    data = np.random.default_rng(1).normal(size=(3, 7, 4)).astype("float32")
    _, frozen = _written(model, tmp_path)
    assert frozen.read_bytes().count(b"NextIteration") > 4
    assert wb.convert(frozen, tmp_path / "m.keras", evidence="quick").ok
    assert wb.convert(frozen, tmp_path / "m.onnx", evidence="quick").ok
    converted = keras.models.load_model(tmp_path / "m.keras")
    assert sorted(type(layer).__name__ for layer in converted.layers) == sorted(
        type(layer).__name__ for layer in model.layers
    )
    for one, other in zip(converted(data), model(data), strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_tensor_in_the_wrong_head_is_noticed(tmp_path: Path) -> None:
    """What is compared with is the graph as it is written: its optimiser would take the GELU for another."""
    model = _attention()
    _, frozen = _written(model, tmp_path)
    kernel = next(layer for layer in model.layers if "attention" in layer.name).weights[0].numpy()
    content = frozen.read_bytes()
    assert content.count(kernel.tobytes()) == 1
    (tmp_path / "wrong.pb").write_bytes(content.replace(kernel.tobytes(), kernel[:, ::-1].tobytes()))
    assert wb.convert(frozen, tmp_path / "right.keras", evidence="quick").ok
    report = wb.verify(tmp_path / "wrong.pb", tmp_path / "right.keras", evidence="quick")
    assert "WB401" in [f.code for f in report.findings]
