"""convert from ONNX to Keras: what a node says is carried, or refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_convert import converted, run
from test_convert_to_keras import graph, weights

pytestmark = [pytest.mark.framework, pytest.mark.filterwarnings("ignore")]  # what TensorFlow says
Nodes = list[tuple[Any, ...]]
VARIANCE = {"v": np.full(4, 0.7, "float32")}


def lstm(fed: str = "W R B", **settings: Any) -> Nodes:
    """As torch writes it with the batch first: the directions side by side."""
    return [
        ("Transpose", "x", "turned", {"perm": [1, 0, 2]}),
        ("LSTM", f"turned {fed}", "lstm", {"hidden_size": 5, **settings}),
        ("Transpose", "lstm", "last", {"perm": [2, 0, 1, 3]}),
        ("Reshape", "last joined", "y", {}),
    ]


def cells(count: int = 1, **more: Any) -> dict[str, Any]:
    return {
        **weights(W=(count, 20, 3), R=(count, 20, 5), B=(count, 40)),
        "joined": np.array([0, 0, -1]),
        **more,
    }


BOTH = {"strides": [2, 2], "dilations": [2, 2]}
POOL = {"kernel_shape": [2, 2]}
NORM = "x g b m v"
BATCH = {**weights(g=(4,), b=(4,), m=(4,)), **VARIANCE}
OTHERS = ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Softsign", "Tanh"]
FULL = np.array([7, 7], "int32")
NONE = np.zeros((1, 2, 5), "float32")
STEPS, IMAGE = [2, 7, 3], ["n", 4, 9, 8]
KERNEL = weights(k=(3, 4, 3, 3))
REFUSED = {
    "lengths": (lstm("W R B len"), cells(len=np.array([7, 3], "int32")), STEPS, "sequence_lengths"),
    "state": (lstm("W R B len h"), cells(len=FULL,
              **weights(h=(1, 2, 5))), STEPS, "initial_state.0"),
    "peepholes": (lstm("W R B len h h p"), cells(len=FULL, h=NONE,
                  **weights(p=(1, 15))), STEPS, "peepholes"),
    "computed-states": ([("Shape", "x", "shape", {}), ("Gather", "shape first", "batch", {}),
                         ("Concat", "one batch five", "size", {"axis": 0}), ("Expand", "half size", "h", {}),
                         *lstm("W R B len h h")],
                        cells(first=np.array([0]), one=np.array([1]), five=np.array([5]), len=FULL,
                              half=np.array(0.5, "float32")), STEPS, "initial_state.0"),
    "clip": (lstm(clip=0.3), cells(), STEPS, "clips"),
    "coupled": (lstm(input_forget=1), cells(), STEPS, "couples"),
    "backwards": (lstm(direction="bidirectional", activations=OTHERS), cells(2), STEPS, "Softsign"),
    "max-dilation": ([("MaxPool", "x", "y", {**POOL, "dilations": [2, 2]})], {}, IMAGE, "dilations [2, 2]"),
    "conv-both": ([("Conv", "x k", "y", BOTH)], KERNEL, IMAGE, "strides [2, 2]"),
    "fmod": ([("Mod", "x d", "y", {"fmod": 1})], {"d": np.array(0.7, "float32")}, ["n", 4], "fmod"),
    "training": ([("BatchNormalization", NORM, "y", {"training_mode": 1})], BATCH, IMAGE, "training_mode"),
    "integers": ([("Cast", "x", "whole", {"to": 7}), ("Div", "whole three", "part", {}),
                  ("Cast", "part", "y", {"to": 1})], {"three": np.array(3)}, ["n", 4], "whole numbers"),
    "many-biases": ([("Gemm", "x k c", "y", {})], weights(k=(4, 5), c=(3, 1)), [3, 4], "each of 5 units"),
}  # fmt: skip
KEPT = {
    "zero-states": (lstm("W R B len h h"), cells(len=FULL, h=NONE),
                    STEPS),
    "computed-zeros": ([("Shape", "x", "shape", {}), ("Gather", "shape first", "batch", {}),
                        ("Concat", "one batch five", "size", {"axis": 0}),
                        ("Expand", "zero size", "none", {}), ("Concat", "none none", "both", {"axis": 0}),
                        ("Expand", "seven batch", "len", {}),
                        *lstm("W R B len both both", direction="bidirectional")],
                       cells(2, first=np.array([0]), one=np.array([1]), five=np.array([5]),
                             zero=np.array(0, "float32"), seven=np.array(7, "int32")), ["n", 7, 3]),
    "backwards": (lstm(direction="bidirectional", activations=OTHERS[:3] * 2), cells(2), STEPS),
    "max-undilated": ([("MaxPool", "x", "y", {**POOL, "dilations": [1, 1]})], {}, IMAGE),
    "conv-one": ([("Conv", "x k", "y", {"dilations": [2, 2]})], KERNEL, IMAGE),
    "by-channel-both": ([("Conv", "x k", "y", {"strides": [2, 2], "dilations": [2, 2], "group": 4})],
                        weights(k=(8, 1, 3, 3)), IMAGE),
    "training": ([("BatchNormalization", NORM, "y", {"training_mode": 0})], BATCH, IMAGE),
    "floats": ([("Div", "x three", "y", {})], {"three": np.array(3, "float32")}, ["n", 4]),
    "gemm": ([("Gemm", "x k c", "y", {"alpha": 0.5, "beta": 2.0})], weights(k=(4, 5), c=(5,)), ["n", 4]),
    "gemm-turned": ([("Conv", "x k", "map", {}), ("Flatten", "map", "flat", {}),
                     ("Gemm", "flat w c", "y", {"alpha": 0.5, "beta": 3.0, "transB": 1})],
                    weights(k=(3, 4, 3, 3), w=(5, 126), c=(1, 5)), IMAGE),
    "gemm-one-bias": ([("Gemm", "x k c", "y", {"beta": 0.5})], weights(k=(4, 5), c=(1,)), ["n", 4]),
    "wide-sum": ([("Conv", "x k", "map", {}), ("Add", "map c", "y", {})],
                 weights(k=(3, 4, 3, 3), c=(6,)), IMAGE),
    "high-sum": ([("Conv", "x k", "map", {}), ("Add", "map c", "y", {})],
                 weights(k=(3, 4, 3, 3), c=(1, 1, 7, 1)), IMAGE),
    "high-difference": ([("Conv", "x k", "map", {}), ("Sub", "map c", "y", {})],
                        weights(k=(3, 4, 3, 3), c=(7, 1)), IMAGE),
    "wide-product": ([("Conv", "x k", "map", {}), ("Mul", "map c", "y", {})],
                     weights(k=(3, 4, 3, 3), c=(6,)), IMAGE),
    "two-axes": ([("LayerNormalization", "x g b", "y", {"axis": 1})], weights(g=(4, 5), b=(4, 5)),
                 ["n", 4, 5]),
    "map-norm": ([("Conv", "x k", "map", {}), ("LayerNormalization", "map g b", "y", {"axis": 1})],
                 weights(k=(3, 4, 3, 3), g=(3, 7, 6), b=(3, 7, 6)), IMAGE),
    "space-norm": ([("Conv", "x k", "map", {}), ("LayerNormalization", "map g", "y", {"axis": -2})],
                   weights(k=(3, 4, 3, 3), g=(7, 6)), IMAGE),
    "last-axis": ([("LayerNormalization", "x g b", "y", {})], weights(g=(5,), b=(5,)), ["n", 4, 5]),
    "selu": ([("Selu", "x", "y", {"alpha": 1.2, "gamma": 0.8})], {}, ["n", 4]),
    "where": ([("Less", "x zero", "is_less", {}), ("Where", "is_less a x", "y", {})],
              {"zero": np.array(0, "float32"), **weights(a=(4,))}, ["n", 4]),
    "usual-selu": ([("Selu", "x", "y", {})], {}, ["n", 4]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_layer_of_keras_cannot_do_is_refused(name: str, tmp_path: Path) -> None:
    nodes, values, shape, said = REFUSED[name]
    source = graph(tmp_path / "m.onnx", nodes, values, shape)
    code, report = converted(source, tmp_path / "m.keras", "--no-verify")
    assert (code, report["findings"][0]["code"]) == (4, "WB107")
    assert said in report["findings"][0]["message"]
    assert not (tmp_path / "m.keras").exists()


@pytest.mark.parametrize("name", KEPT)
def test_what_it_can_do_is_carried(name: str, tmp_path: Path) -> None:
    source = graph(tmp_path / "m.onnx", *KEPT[name])
    code, report = converted(source, tmp_path / "m.keras", "--evidence", "quick")
    assert code == 0, report["findings"]


@pytest.mark.parametrize("is_output", [True, False])
def test_an_output_that_is_a_constant_is_refused(is_output: bool, tmp_path: Path) -> None:
    import onnx

    source = graph(tmp_path / "m.onnx", [("MatMul", "x k", "y", {})], weights(k=(4, 5), c=(3,)), ["n", 4])
    model = onnx.load(source)
    if is_output:
        model.graph.output.append(onnx.helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [3]))
    onnx.save(model, source)
    code, report = converted(source, tmp_path / "m.keras", "--no-verify")
    assert code == (4 if is_output else 0), report["findings"]
    assert ("output c is a constant" in str(report["findings"])) == is_output


def test_the_weights_alone_are_no_conversion(tmp_path: Path) -> None:
    """Of any source: what ends with .weights.h5 is loaded by load_weights, and a whole model is not."""
    source = graph(tmp_path / "m.onnx", *KEPT["floats"])
    assert run(str(source), str(tmp_path / "m.weights.h5"), "--no-verify") == 2
    assert run(str(source), str(tmp_path / "m.keras"), "--no-verify") == 0
    assert run(str(tmp_path / "m.keras"), str(tmp_path / "m.weights.h5"), "--no-verify") == 2
    assert run(str(source), str(tmp_path / "weights.h5"), "--no-verify") == 0
    assert not (tmp_path / "m.weights.h5").exists()


def test_inputs_that_nothing_runs_are_refused(tmp_path: Path) -> None:
    source = graph(tmp_path / "m.onnx", *KEPT["floats"])
    probe = ("--probe", str(tmp_path / "none.npz"))
    assert run(str(source), str(tmp_path / "m.keras"), "--no-verify", *probe) == 2
    assert run(str(source), str(tmp_path / "m.keras"), "--evidence", "quick", *probe) == 2
    np.savez(tmp_path / "none.npz", x=np.ones((3, 4), "float32"))
    assert run(str(source), str(tmp_path / "m.keras"), "--evidence", "quick", *probe) == 0
