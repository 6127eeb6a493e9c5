"""Models of integers made floats: outputs are held against the file's own steps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weightbridge as wb
from weightbridge import formats
from weightbridge.commands.proof.steps import grids_of
from weightbridge.verify import Setup, equality_in_steps

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # of TensorFlow and Keras


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    folder = tmp_path_factory.mktemp("integers")
    path, output = folder / "m.tflite", folder / "m.keras"
    path.write_bytes(_integers())
    return path, output, wb.convert(path, output, dequantize=True)


def _integers() -> bytes:
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(1)
    value = keras.Input((8, 8, 3))
    inner = layers.Conv2D(6, 3, activation="relu", padding="same")(value)
    inner = layers.Add()([layers.Conv2D(6, 1)(inner), inner])
    model = keras.Model(value, layers.Dense(5)(layers.Flatten()(inner)))
    numbers = np.random.default_rng(2)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [numbers.normal(size=(1, 8, 8, 3)).astype("float32")] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def test_outputs_are_compared_in_steps(converted: tuple[Path, Path, Any]) -> None:
    _, _, report = converted
    evidence = report.verification.evidence
    assert (report.verdict, evidence["claim"]) == ("warn", "equal but for rounding")
    assert evidence["comparisons"] == evidence["equal"] > 0
    assert [control["result"] for control in evidence["controls"]] == ["failed", "skipped"]
    (said,) = (f.message for f in report.findings if "rounds its data" in f.message)
    assert "steps, its largest value is the same for" in said
    assert "below the steps of the file" in said


def test_channels_that_are_swapped_are_more_than_steps(converted: tuple[Path, Path, Any]) -> None:
    path, output, report = converted
    source, target = wb.read(path), wb.read(output)
    reference, candidate = formats.runner(path), formats.runner(output)
    kernel = next(t for layer in target.layers if layer.op == "Conv" for t in layer.tensors)
    swapped = kernel.load()[..., [1, 0, 2, 3, 4, 5]]
    grids = grids_of(source, target, report.plan, reference.grids)
    steps = dict.fromkeys(reference.outputs, 0.01)
    for values, faults in (([], 0), ([(kernel.key, swapped)], 1)):
        other = candidate.with_values(values)
        _, said = equality_in_steps(reference, other, Setup(evidence="quick"), grids, steps)
        assert sum(f.code == "WB401" for f in said) == faults


def test_each_layer_has_its_own_steps(converted: tuple[Path, Path, Any]) -> None:
    path, output, report = converted
    told = formats.runner(path).grids
    grids = grids_of(wb.read(path), wb.read(output), report.plan, told)
    weighted = {layer.name for layer in wb.read(output).layers if layer.tensors}
    assert weighted <= grids.keys()
    assert all(grid.low < 0.0 <= grid.high or grid.low >= -1e-6 for grid in grids.values())
