"""convert from ONNX to Keras: planted faults are noticed, and nothing is written then."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_convert import classes_of, converted, run
from test_convert_to_keras import block, graph, weights

from weightbridge.transfer import execute

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
QUICK = ("--evidence", "quick")
Change = Callable[[np.ndarray], np.ndarray]


def one_percent(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    if array.shape == (3, 3, 6, 6):
        changed[..., 2] *= 1.01
    return changed


def channels_first_rows(array: np.ndarray) -> np.ndarray:
    """The rows behind the Flatten as the file has them."""
    if array.shape != (240, 4):
        return array
    return array.reshape(5, 4, 12, 4).transpose(2, 0, 1, 3).reshape(240, 4)


def other_gates(array: np.ndarray) -> np.ndarray:
    if array.shape not in ((3, 20), (5, 20)):
        return array
    i, f, c, o = np.split(array, 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1)


def recurrent(path: Path) -> Path:
    """As torch writes it: time first, both biases, the sequence's directions as an axis."""
    nodes = [
        ("Transpose", "x", "turned", {"perm": [1, 0, 2]}),
        ("LSTM", "turned W R B", "lstm", {"hidden_size": 5}),
        ("Squeeze", "lstm one", "steps", {}),
        ("Transpose", "steps", "y", {"perm": [1, 0, 2]}),
    ]
    values: dict[str, Any] = weights(W=(1, 20, 3), R=(1, 20, 5), B=(1, 40))
    return graph(path, nodes, {**values, "one": np.array([1])}, ["n", 7, 3])


@pytest.mark.parametrize(
    ("make", "change"),
    [(block, one_percent), (block, channels_first_rows), (recurrent, other_gates)],
    ids=["one-percent", "flatten", "gates"],
)
def test_changed_values_are_noticed(
    make: Callable[[Path], Path], change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "model.onnx")
    assert converted(source, tmp_path / "right.keras", "--no-verify")[0] == 0
    apply = execute.transforms.apply
    monkeypatch.setattr(execute.transforms, "apply", lambda *given: change(apply(*given)))
    code, report = converted(source, tmp_path / "wrong.keras", *QUICK)
    assert (code, report["verdict"]) == (1, "fail")
    assert "WB401" in {finding["code"] for finding in report["findings"]}
    assert not (tmp_path / "wrong.keras").exists()


def test_maxima_of_negative_values_do_not_see_zeros(tmp_path: Path) -> None:
    """A border of zeros would be above all values."""
    nodes = [
        ("Conv", "x k b", "below", {}),
        ("MaxPool", "below", "y", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ]
    values = {**weights(k=(3, 2, 1, 1)), "b": np.full(3, -9, "float32")}
    source = graph(tmp_path / "m.onnx", nodes, values, ["n", 2, 9, 8])
    code, report = converted(source, tmp_path / "m.keras", *QUICK)
    assert code == 0, report["findings"]


def test_a_shared_kernel_stays_shared_and_merged_vectors_do_not(tmp_path: Path) -> None:
    nodes = [
        ("Conv", "x k", "first", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", "first g b m v", "norm", {}),
        ("Relu", "norm", "relu", {}),
        ("Conv", "relu k", "second", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", "second g b m2 v", "y", {}),
    ]
    values = {
        **weights(k=(4, 4, 3, 3), m=(4,), m2=(4,)),
        "g": np.ones(4, "float32"),
        "b": np.zeros(4, "float32"),
    }
    values["v"] = np.full(4, 0.7, "float32")
    source = graph(tmp_path / "m.onnx", nodes, values, ["n", 4, 6, 6])
    code, report = converted(source, tmp_path / "m.keras", *QUICK)
    assert code == 0, report["findings"]
    (said,) = [finding for finding in report["findings"] if finding["code"] == "WB211"]
    assert said["severity"] == "note"
    kinds = classes_of(tmp_path / "m.keras")
    assert (kinds.count("Conv2D"), kinds.count("BatchNormalization")) == (1, 2)


def test_a_conversion_without_verification_needs_no_tensorflow(tmp_path: Path) -> None:
    source = block(tmp_path / "model.onnx")
    script = (
        "import sys, weightbridge as wb\n"
        f"wb.convert({str(source)!r}, 'new.keras', verify=False)\n"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules, 'onnxruntime' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


def test_quantised_weights_are_asked_about(tmp_path: Path) -> None:
    nodes = [
        ("DequantizeLinear", "q scale", "w", {}),
        ("MatMul", "x w", "y", {}),
    ]
    values = {"q": np.arange(-6, 6, dtype="int8").reshape(4, 3), "scale": np.array(0.1, "float32")}
    source = graph(tmp_path / "m.onnx", nodes, values, ["n", 4])
    code, report = converted(source, tmp_path / "m.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB109")
    code, report = converted(source, tmp_path / "m.keras", "--dequantize", *QUICK)
    assert code == 0, report["findings"]
    assert "WB302" in {finding["code"] for finding in report["findings"]}


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        ([("Transpose", "x", "y", {"perm": [1, 2, 0]})], ["n", 3, 4], "batch"),
        ([("ReduceSum", "x", "y", {"keepdims": 0})], ["n", 3], "batch"),
        ([("NonZero", "x", "y", {})], ["n", 3], "NonZero"),
    ],
    ids=["batch-moved", "batch-joined", "unknown"],
)
def test_what_keras_cannot_say_is_refused(
    nodes: list[tuple[Any, ...]], shape: list[Any], said: str, tmp_path: Path
) -> None:
    code, report = converted(graph(tmp_path / "m.onnx", nodes, {}, shape), tmp_path / "m.keras")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert said in report["findings"][0]["message"]
    assert not (tmp_path / "m.keras").exists()


def test_the_erfc_of_an_exact_gelu_is_one_minus_erf(tmp_path: Path) -> None:
    """Erfc is no operation of ONNX; TensorFlow's exporters write it, and it can mean nothing else."""
    nodes = [
        ("MatMul", "x kernel", "dense", {}),
        ("Mul", "dense root", "scaled", {}),
        ("Erfc", "scaled", "erfc", {}),
        ("Mul", "dense erfc", "product", {}),
        ("Mul", "product half", "y", {}),
    ]
    numbers = {"root": np.array(-(0.5**0.5), "float32"), "half": np.array(0.5, "float32")}
    source = graph(tmp_path / "m.onnx", nodes, {**weights(kernel=(3, 4)), **numbers}, ["n", 3])
    code, report = converted(source, tmp_path / "m.keras", *QUICK)
    assert (code, report["verdict"]) == (0, "warn")
    assert "read as 1 - Erf" in report["findings"][0]["message"]
    assert {one["status"] for one in report["verification"]["outputs"]} == {"equal"}
    assert classes_of(tmp_path / "m.keras")[1:] == ["Dense", "Activation"]


def test_a_graph_that_onnxruntime_refuses_proves_nothing(tmp_path: Path) -> None:
    """It has no LSTM with the batch first; without verification the file is written."""
    nodes = [("LSTM", "x W R", "steps", {"hidden_size": 5, "layout": 1}), ("Relu", "steps", "y", {})]
    source = graph(tmp_path / "m.onnx", nodes, weights(W=(1, 20, 3), R=(1, 20, 5)), ["n", 7, 3])
    code, report = converted(source, tmp_path / "m.keras", *QUICK)
    assert (code, report["verdict"]) == (3, "inconclusive")
    (finding,) = [one for one in report["findings"] if one["code"] == "WB504"]
    assert "onnxruntime" in finding["message"]
    assert "--no-verify" in finding["fix"]
    assert converted(source, tmp_path / "m.keras", "--no-verify")[0] == 0


@pytest.mark.parametrize(
    ("opset", "axis", "expected"),
    [(11, 1, [1, 2, 3]), (11, 2, [1, 2]), (11, 3, 2), (13, 1, -1), (13, 2, 1), (13, -1, 2)],
)
def test_a_softmax_over_any_axes(opset: int, axis: int, expected: Any, tmp_path: Path) -> None:
    """Before ONNX 13 all axes from the named one on sum to one together; channels are the file's second."""
    import keras

    nodes = [("Conv", "x w", "logits", {}), ("Softmax", "logits", "y", {"axis": axis})]
    path = graph(tmp_path / "m.onnx", nodes, weights(w=(8, 3, 1, 1)), ["n", 3, 4, 6], opset=opset)
    code, report = converted(path, tmp_path / "m.keras", *QUICK)
    assert (code, report["verdict"]) == (0, "pass")
    assert keras.saving.load_model(tmp_path / "m.keras").layers[-1].axis == expected


def test_a_batch_that_a_reshape_holds_as_a_number_is_noticed(tmp_path: Path) -> None:
    """What keeps the batch only where it is two is another function than Keras's Reshape."""
    for first, code in ((0, 0), (2, 3)):
        nodes = [("Reshape", "x shape", "cut", {}), ("MatMul", "cut w", "y", {})]
        values: dict[str, Any] = weights(w=(3, 6))
        path = graph(tmp_path / "m.onnx", nodes, {**values, "shape": np.array([first, -1, 3])}, ["n", 2, 6])
        out = tmp_path / f"{first}.keras"
        assert run(str(path), str(out), *QUICK) == code
        assert out.exists() == (code == 0)


def test_what_a_quantiser_cut_off_is_cut_off_by_the_floats(tmp_path: Path) -> None:
    """A Relu that it took out: the numbers behind it begin at zero."""
    import keras
    import onnxruntime

    nodes = [
        ("DequantizeLinear", "codes scale", "w", {}),
        ("MatMul", "x w", "a", {}),
        ("QuantizeLinear", "a scale zero", "q", {}),
        ("DequantizeLinear", "q scale zero", "f", {}),
        ("MatMul", "f w", "y", {}),
    ]
    codes = np.random.default_rng(4).integers(-90, 90, (4, 4)).astype("int8")
    values = {"codes": codes, "scale": np.array(0.01, "float32"), "zero": np.array(0, "uint8")}
    source = graph(tmp_path / "m.onnx", nodes, values, ["n", 4])
    code, report = converted(source, tmp_path / "m.keras", "--dequantize")
    assert code == 0, report["findings"]
    x = np.random.default_rng(3).normal(size=(64, 4)).astype("float32")
    (expected,) = onnxruntime.InferenceSession(str(source)).run(None, {"x": x})
    got = keras.models.load_model(tmp_path / "m.keras").predict(x, verbose=0)
    assert np.abs(got - expected).max() <= 0.005 * np.abs(codes * 0.01).sum(axis=0).max() + 1e-6
