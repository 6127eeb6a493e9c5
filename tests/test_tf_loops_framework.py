"""Recurrent layers that TensorFlow and TFLite write as loops: LSTM, GRU, SimpleRNN, one way and both ways."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # of TensorFlow and Keras
WRITTEN = ("exported", "frozen.pb", "batch_of_one.tflite")
STEPS, WIDTH = 7, 5


def layers_of(name: str, value: Any) -> Any:
    from keras import layers

    if name == "both_ways":
        return layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid"))(value)
    value = layers.GRU(4, return_sequences=True)(layers.LSTM(6, return_sequences=True)(value))
    value = layers.GRU(4, reset_after=False, return_sequences=True)(value)
    return layers.SimpleRNN(5, go_backwards=True)(value)


NAMES = ("one_way", "both_ways")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    folder = tmp_path_factory.mktemp("loops")
    for name in NAMES:
        value = keras.Input((STEPS, WIDTH))
        model = keras.Model(value, keras.layers.Dense(2)(layers_of(name, value)))
        numbers = np.random.default_rng(3)
        model.set_weights([numbers.normal(0, 0.5, w.shape) for w in model.get_weights()])
        _write(folder / name, model)
    return folder


def _write(folder: Path, model: Any) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    folder.mkdir()
    model.save(folder / "model.keras")
    model.export(folder / "exported", verbose=False)

    def called(batch: int | None) -> Any:
        spec = tf.TensorSpec((batch, STEPS, WIDTH), tf.float32)

        def traced(value: Any) -> Any:  # tf.function(model) is one function for all shapes
            return model(value)

        return tf.function(traced).get_concrete_function(spec)

    function = called(None)
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False).graph
    (folder / "frozen.pb").write_bytes(frozen.as_graph_def().SerializeToString())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([called(1)])
    (folder / "batch_of_one.tflite").write_bytes(converter.convert())


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_is_the_layer_that_it_was(files: Path, name: str, written: str) -> None:
    report = wb.check(files / name / written, files / name / "model.keras")
    assert report.coverage.fraction == 1.0
    assert not [f for f in report.findings if f.severity != "note"]
    source, target = wb.read(files / name / written), wb.read(files / name / "model.keras")
    assert report.plan is not None
    for step in report.plan.steps:
        (given,) = (source.tensor_by_name[name].load() for name in step.sources[:1])
        assert np.isin(given, target.tensor_by_name[step.target].load()).all(), step.target


@pytest.mark.parametrize(
    ("name", "written"), [("one_way", WRITTEN[0]), ("one_way", WRITTEN[2]), ("both_ways", WRITTEN[1])]
)
def test_it_becomes_a_keras_model_that_computes_the_same(
    files: Path, tmp_path: Path, name: str, written: str
) -> None:
    report = wb.convert(files / name / written, tmp_path / "m.keras", evidence="quick")
    assert report.verification is not None
    assert (report.verification.mode, report.verification.evidence["claim"]) == ("actual", "equal")
    kinds = {layer.op for layer in wb.read(tmp_path / "m.keras").layers}
    assert kinds <= {"Input", "LSTM", "GRU", "RNN", "Dense", "Concat", "Opaque"}


def test_swapped_gates_are_noticed(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "swapped.tflite"
    lstm = next(x for x in wb.read(files / "one_way" / "batch_of_one.tflite").layers if x.op == "LSTM")
    content, kernel = (files / "one_way" / "batch_of_one.tflite").read_bytes(), lstm.tensors[0].load()
    gates = np.split(kernel, 4)
    swapped = np.concatenate([gates[1], gates[0], *gates[2:]])
    assert content.count(kernel.tobytes()) == 1
    path.write_bytes(content.replace(kernel.tobytes(), swapped.tobytes()))
    report = wb.verify(path, files / "one_way" / "model.keras", evidence="quick")
    assert report.verdict == "fail"


def test_a_loop_that_is_no_cell_stays_a_loop(tmp_path: Path) -> None:
    """It is refused by its name, and its weights are said to be read there."""
    import tensorflow as tf

    kernel = tf.constant(np.random.default_rng(1).normal(0, 0.4, (4, 4)), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((2, 4), tf.float32)])
    def power(value: Any) -> Any:
        return tf.while_loop(lambda n, _: n < 3, lambda n, x: (n + 1, tf.matmul(x, kernel) * x), (0, value))[
            1
        ]

    graph = power.get_concrete_function().graph.as_graph_def()
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())
    assert "StatelessWhile" in {layer.class_name for layer in wb.read(tmp_path / "m.pb").layers}
    with pytest.raises(wb.WeightbridgeError, match="StatelessWhile has no counterpart"):
        wb.convert(tmp_path / "m.pb", tmp_path / "m.keras")
