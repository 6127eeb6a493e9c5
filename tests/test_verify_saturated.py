"""verify: outputs that end in a sigmoid which saturates, behind it what only moves numbers."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]
ROWS = {"x": ["n", 4]}


@pytest.mark.parametrize("bias", [-45.0, -12.0, 0.0], ids=["all-zero", "nearly-zero", "plain"])
@pytest.mark.parametrize("is_moved_first", [True, False], ids=["moved-before", "moved-behind"])
def test_runtimes_round_a_saturated_sigmoid_otherwise(
    tmp_path: Path, bias: float, is_moved_first: bool
) -> None:
    """onnxruntime gives 0 where TensorFlow still gives 1e-17: no difference of the two models."""
    dense: list[Op] = [("MatMul", ["x", "w"], ["m"], {}), ("Add", ["m", "b"], ["a"], {})]
    ends: list[Op] = [("Sigmoid", ["a"], ["p"], {}), ("Reshape", ["p", "s"], ["y"], {})]
    if is_moved_first:
        ends = [("Reshape", ["a", "s"], ["r"], {}), ("Sigmoid", ["r"], ["y"], {})]
    tensors = {"w": values((4, 6), 1), "b": np.full(6, bias, "f4"), "s": np.array([0, 3, 2])}
    source = saved(tmp_path / "m.onnx", dense + ends, tensors, ROWS, ["y"])
    report = wb.convert(source, tmp_path / "new.keras")
    assert report.verification.evidence["compared_as"] == {"y": "logits"}
    ratios = [output["ratio"] for output in report.verification.outputs]
    assert max(ratios) <= 4


def test_logits_of_keras_are_where_the_output_is() -> None:
    import keras

    x = keras.Input((2, 3))
    y = keras.layers.Activation("sigmoid")(keras.layers.Dense(4)(x))
    y = keras.layers.Reshape((4, 2))(keras.layers.Permute((2, 1))(y))
    runner = formats.runner(keras.Model(x, keras.layers.Flatten(name="y")(y)))
    found = runner.run({runner.inputs[0].name: values((5, 2, 3), 1)}, ["logits:y"])
    np.testing.assert_allclose(1 / (1 + np.exp(-found["logits:y"])), found["y"], rtol=1e-5)


def test_a_fault_that_a_saturated_sigmoid_hides_is_noticed() -> None:
    """Every output of both is 0 to the last bit."""
    import keras

    models = []
    for factor in (1.0, 1.01):
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(6, "sigmoid"), keras.layers.Reshape((3, 2))]
        )
        model.set_weights([values((4, 6), 1) * np.float32(factor), np.full(6, -200, "f4")])
        models.append(model)
    assert "WB401" in {found.code for found in wb.verify(*models).findings}


@pytest.mark.parametrize("factor", [1.0, 1.6], ids=["equal", "other"])
def test_a_layer_whose_fault_the_outputs_hide_is_said(factor: float) -> None:
    """Both give 1 to the last bit, and of a tanh no logits are found."""
    import keras

    models = []
    for times in (1.0, factor):
        keras.backend.clear_session()  # probes follow from names, and these from a counter
        x = keras.Input((4,))
        y = keras.layers.Activation("tanh")(keras.layers.Dense(6, name="d")(x))
        model = keras.Model(x, y[..., :2])
        model.set_weights([values((4, 6), 1) * np.float32(times), np.full(6, 60, "f4")])
        models.append(model)
    report = wb.verify(*models)
    found = [(f.code, f.target) for f in report.findings]
    assert (report.exit_code, found) == (0, [("WB503", "d")] if factor != 1 else [])


@pytest.mark.parametrize("factor", [1.0, 1.01], ids=["equal", "other"])
def test_a_saturated_sigmoid_is_seen_behind_a_slice_and_a_crop(factor: float) -> None:
    import keras

    models = []
    for times in (1.0, factor):
        keras.backend.clear_session()
        x = keras.Input((6, 4))
        y = keras.layers.Cropping1D((1, 2))(keras.layers.Dense(6, "sigmoid", name="d")(x))
        model = keras.Model(x, y[..., 1:5])
        model.set_weights([values((4, 6), 1) * np.float32(times), np.full(6, -200, "f4")])
        models.append(model)
    report = wb.verify(*models)
    codes = [found.code for found in report.findings]
    assert (report.exit_code, codes) == ((1, ["WB401"]) if factor != 1 else (0, []))
    assert set(report.verification.evidence["compared_as"].values()) == {"logits"}


def test_a_slice_of_a_softmax_is_not_told_by_its_logits() -> None:
    """What is added to all of them is no difference, and that is not seen in some of them."""
    import keras

    x = keras.Input((4,))
    runner = formats.runner(keras.Model(x, keras.layers.Dense(6, "softmax")(x)[:, :3]))
    assert runner.logits == {}
