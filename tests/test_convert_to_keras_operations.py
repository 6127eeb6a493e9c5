"""convert to Keras what has no layer of its own: Keras's operations, one output of a model for each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import saved, values
from test_convert import classes_of, converted, run

from weightbridge import formats
from weightbridge.converting.from_graph.writer import Writer

FLOATS = 1  # as ONNX numbers its types of elements
Steps = list[tuple[str, str, dict[str, Any]]]  # op, its inputs, attributes; "." is what the one before gives
KEPT, GONE = {"keepdims": 1}, {"keepdims": 0}
CORNERS = {"coordinate_transformation_mode": "align_corners"}
PAIRED = {"group": 2, "strides": [2, 2]}
WINDOW = {"kernel_shape": [3, 3], "strides": [2, 2]}

OPERATIONS: dict[str, Steps] = {
    "depth-to-space": [("DepthToSpace", "x", {"blocksize": 2})],
    "pixel-shuffle": [("DepthToSpace", "x", {"blocksize": 2, "mode": "CRD"})],
    "space-to-depth": [("SpaceToDepth", "x", {"blocksize": 2})],
    "tile": [("Tile", "x repeats", {})],
    "expand": [("GlobalAveragePool", "x", {}), ("Expand", ". shape", {}), ("Concat", "x .", {"axis": 1})],
    "expand-for-a-quotient": [("ReduceL2", "x", {"axes": [1], **KEPT}), ("Expand", ". shape", {}),
                              ("Div", "x .", {})],
    "arg-max": [("ArgMax", "x", {"axis": 1, **GONE}), ("Cast", ".", {"to": FLOATS})],
    "clip-integers": [("ArgMax", "x", {"axis": 1}), ("Clip", ". one", {}), ("Cast", ".", {"to": FLOATS})],
    "cum-sum": [("CumSum", "x two", {})],
    "cum-sum-turned": [("CumSum", "x two", {"exclusive": 1, "reverse": 1})],
    "l1": [("ReduceL1", "x", {"axes": [1], **KEPT})],
    "l2-of-all": [("ReduceL2", "x", {"axes": [1, 2, 3], **GONE})],
    "sum-square": [("ReduceSumSquare", "x", {"axes": [2, 3], **GONE})],
    "log-sum": [("Exp", "x", {}), ("ReduceLogSum", ".", {"axes": [1], **KEPT})],
    "mean-of-one-axis": [("ReduceMean", "x", {"axes": [3], **GONE})],
    "unit": [("LpNormalization", "x", {"axis": 1})],
    "unit-of-sums": [("LpNormalization", "x", {"axis": 2, "p": 1})],
    "least": [("Min", "x channels", {})],
    "most": [("Max", "x map", {})],
    "power": [("Abs", "x", {}), ("Pow", ". positive", {})],
    "masked": [("Where", "mask x zero", {})],
    "where-channels": [("Greater", "x channels", {}), ("Where", ". x channels", {})],
    "einsum": [("Einsum", "x x", {"equation": "bchw,bdhw->bcd"})],
    "triangle": [("Reshape", "x flat", {}), ("Trilu", ". one", {"upper": 0})],
    "gather-rows": [("Gather", "x places", {"axis": 2})],
    "gather-own-places": [("ArgMax", "x", {"axis": 3}), ("GatherElements", "x .", {"axis": 3})],
    "grid-beside": [("Shape", "x", {}), ("Slice", ". first behind", {}), ("Concat", ". rest", {"axis": 0}),
                    ("Expand", "grid .", {}), ("Concat", "x .", {"axis": 1})],
    "one-hot": [("ArgMax", "x", {"axis": 3, **GONE}), ("OneHot", ". ten of_two", {})],
    "grown-by-a-row": [("GlobalMaxPool", "x", {}), ("Flatten", ".", {}), ("ReduceSum", ". middle", KEPT),
                       ("Mul", ". row", {}), ("Add", ". row", {})],
    "grown-by-a-table": [("GlobalMaxPool", "x", {}), ("Mul", ". table", {}), ("Add", ". table", {})],
    "edge": [("Pad", "x border", {"mode": "edge"})],
    "first-rows": [("Transpose", "x", {"perm": [2, 0, 1, 3]}), ("GatherND", ". few", {}),
                   ("Transpose", ".", {"perm": [1, 2, 0, 3]})],
    "larger-constant": [("GlobalMaxPool", "x", {}), ("Add", ". whole", {})],
}  # fmt: skip
WINDOWS: dict[str, Steps] = {
    "average-without-border": [("AveragePool", "x", {**WINDOW, "pads": [1, 1, 1, 1]})],
    "average-rounded-up": [("AveragePool", "x", {**WINDOW, "ceil_mode": 1, "count_include_pad": 1})],
    "average-of-same": [("AveragePool", "x", {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"})],
    "transposed-groups": [("ConvTranspose", "x groups", {**PAIRED, "pads": [1, 1, 0, 1]})],
    "transposed-to-a-size": [("ConvTranspose", "x groups", {**PAIRED, "output_shape": [6, 10]})],
    "corners": [("Resize", "x   size", {"mode": "linear", **CORNERS})],
    "nearest-of-any-size": [("Resize", "x   size", {"mode": "nearest"})],
}  # fmt: skip


def constants() -> dict[str, np.ndarray]:
    return {
        "repeats": np.array([1, 1, 2, 3]), "shape": np.array([1, 8, 6, 10]), "two": np.array(2),
        "one": np.array(1), "zero": np.array(0.0, np.float32), "channels": values((8, 1, 1)),
        "map": values((6, 10), 1), "positive": np.abs(values((8, 1, 1), 2)), "flat": np.array([0, 8, -1]),
        "mask": values((6, 10), 3) > 0, "places": np.array([[0, 2, -1], [5, 1, 3]]),
        "first": np.array([0]), "behind": np.array([1]), "rest": np.array([2, 6, 10]),
        "grid": values((1, 2, 6, 10), 4), "whole": values((1, 8, 6, 10), 5),
        "groups": values((4, 3, 3, 3), 6), "size": np.array([2, 4, 4, 7]), "ten": np.array(10),
        "scales": np.array([1, 1, 1.5, 2], np.float32), "of_two": np.array([-1, 2], np.float32),
        "twice": np.array([2, 1, 1, 1]), "two_rows": np.array([2, -1]), "across": np.array([-1, 10]),
        "table": values((8, 1, 3), 8),
        "border": np.array([0, 0, 1, 2, 0, 0, 2, 0]), "few": np.array([[3], [0], [3]]),
        "middle": np.array([1]), "row": values((3,), 7), "far": np.array([99]), "parts": np.array([9, -1]),
        "five": values((1, 1, 8, 1, 1)), "five_ones": values((1, 1, 1, 1, 1)), "items": values((2, 1, 1, 1)),
        "six_rows": values((6, 1), 7), "six_last": values((6,), 8),
    }  # fmt: skip


def model(path: Path, operations: dict[str, Steps], image: tuple[Any, ...] = ("n", 8, 6, 10)) -> Path:
    """One output for each chain of operations on `x`."""
    nodes, needed = [], set[str]()
    for name, steps in operations.items():
        before = "x"
        for n, (op, fed, settings) in enumerate(steps):
            inputs = [before if one == "." else one for one in fed.split(" ")]
            needed |= {*inputs}
            before = name if n == len(steps) - 1 else f"{name}_{n}"
            nodes.append((op, inputs, [before], settings))
    tensors = {name: array for name, array in constants().items() if name in needed}
    return saved(path, nodes, tensors, {"x": image}, list(operations))


def operations_of(path: Path) -> list[str]:
    import keras

    return [type(one).__name__ for one in keras.saving.load_model(path).operations]


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")  # what TensorFlow says
def test_each_computes_the_same(tmp_path: Path) -> None:
    output = tmp_path / "m.keras"
    code, report = converted(model(tmp_path / "m.onnx", OPERATIONS), output, "--evidence", "quick")
    assert code == 0, report["findings"]
    compared = {o["name"]: o["status"] for o in report["verification"]["outputs"]}
    assert compared == dict.fromkeys(OPERATIONS, "equal")
    assert classes_of(output).count("EinsumDense") == 5  # what an axis of length one grows by
    tiles = [name for name in operations_of(output) if name == "Tile"]
    assert len(tiles) == 2  # a quotient spreads its divisor by itself


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_windows_that_keras_has_in_other_layers(tmp_path: Path) -> None:
    output = tmp_path / "m.keras"
    source = model(tmp_path / "m.onnx", WINDOWS, (2, 4, 3, 5))
    code, report = converted(source, output, "--evidence", "quick")
    assert code == 0, report["findings"]
    compared = {o["name"]: o["status"] for o in report["verification"]["outputs"]}
    assert compared == dict.fromkeys(WINDOWS, "equal")
    assert classes_of(output).count("EinsumDense") == 2  # of corners
    assert classes_of(output).count("Conv2DTranspose") == 4


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_sums_along_an_axis_as_long_as_the_last(tmp_path: Path) -> None:
    """On TensorFlow, Keras adds a bias of shape (6, 1) along the last axis where that has length 6."""
    steps: dict[str, Steps] = {
        "rows": [("Mul", "x six_rows", {}), ("Add", ". six_rows", {})],
        "less": [("Add", "x six_last", {}), ("Sub", ". six_rows", {})],
    }
    source, output = model(tmp_path / "m.onnx", steps, ("n", 4, 6, 6)), tmp_path / "m.keras"
    code, report = converted(source, output, "--evidence", "quick")
    assert code == 0, report["findings"]
    assert classes_of(output).count("EinsumDense") == 4


def test_numbers_for_each_item_of_a_batch_of_two_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: Steps = [("Mul", "x items", {}), ("Add", ". channels", {})]
    source, output = model(tmp_path / "m.onnx", {"y": steps}, (2, 8, 6, 10)), tmp_path / "m.keras"
    assert run(str(source), str(output), "--no-verify") == 4
    assert "each of its items" in " ".join(capsys.readouterr().out.split())
    assert not output.exists()


REFUSED: dict[str, tuple[Steps, str]] = {
    "last-place": ([("ArgMax", "x", {"axis": 1, "select_last_index": 1})], "last of several"),
    "whole-batch": ([("ReduceSum", "x", KEPT)], "joins the items of a batch"),
    "tiled-batch": ([("Tile", "x twice", {})], "repeats the items of a batch"),
    "batch-as-a-number": ([("Reshape", "x two_rows", {})], "where the batch may be of any length"),
    "rows-across-items": ([("Reshape", "x across", {})], "joins the batch"),
    "rows-of-all-axes": ([("Flatten", "x", {"axis": 3})], "joins the batch"),
    "number-of-more-axes": ([("Mul", "x five_ones", {})], "joins the batch"),
    "antialias": ([("Resize", "x  scales", {"mode": "linear", "antialias": 1})], "antialias"),
    "no-such-axis": ([("Softmax", "x", {"axis": 9})], "axis 9 of a value of 4"),
    "no-such-place": (
        [("Gather", "x two_rows", {"axis": 1}), ("Gather", ". far", {"axis": 1})],
        "does not have",
    ),
    "no-groups": ([("Conv", "x groups", {"group": 0})], "does not fit together"),
    "no-dilation": ([("Conv", "x groups", {"dilations": [0, 0]})], "numbers above zero"),
    "parts-backwards": ([("Split", "x parts", {"axis": 1})], "of which one is"),
    "negative-blocks": ([("DepthToSpace", "x", {"blocksize": -2})], "blocks of the size -2"),
    "number-for-each-item": ([("Min", "x items", {})], "each item of a batch"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_keras_cannot_say_is_refused_and_never_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, message = REFUSED[name]
    source, output = model(tmp_path / "m.onnx", {name: steps}), tmp_path / "m.keras"
    assert run(str(source), str(output), "--no-verify") == 4
    assert message in " ".join(capsys.readouterr().out.split())
    assert not output.exists()


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_the_largest_and_the_smallest_with_their_places(tmp_path: Path) -> None:
    nodes = [
        ("TopK", ["x", "two"], ["largest", "places"], {"axis": 2}),
        ("TopK", ["x", "two"], ["smallest", "others"], {"axis": 1, "largest": 0}),
        ("Cast", ["places"], ["at"], {"to": FLOATS}),
        ("Cast", ["others"], ["at_others"], {"to": FLOATS}),
    ]
    outputs = ["largest", "smallest", "at", "at_others"]
    source = saved(tmp_path / "m.onnx", nodes, {"two": np.array([2])}, {"x": ["n", 8, 6]}, outputs)
    code, report = converted(source, tmp_path / "m.keras", "--evidence", "quick")
    assert code == 0, report["findings"]
    assert {o["name"]: o["status"] for o in report["verification"]["outputs"]} == dict.fromkeys(
        outputs, "equal"
    )


def test_an_activation_behind_a_cropped_window_stays(tmp_path: Path) -> None:
    settings = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    nodes = [("ConvTranspose", ["x", "k"], ["up"], settings), ("Relu", ["up"], ["up/Relu"], {})]
    source = saved(
        tmp_path / "m.onnx", nodes, {"k": values((4, 2, 3, 3))}, {"x": ["n", 4, 3, 5]}, ["up/Relu"]
    )
    code, report = converted(source, tmp_path / "m.keras", "--no-verify")
    assert code == 0, report["findings"]
    layers = formats.read(tmp_path / "m.keras").layers
    assert [one.attributes.get("activation") for one in layers if one.op == "ConvTranspose"] == ["relu"]


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
def test_a_batch_that_the_model_declares_is_the_batch(tmp_path: Path) -> None:
    steps: Steps = [("Reshape", "x two_rows", {})]
    source = model(tmp_path / "m.onnx", {"rows": steps}, (2, 8, 6, 10))
    output = tmp_path / "m.keras"
    assert run(str(source), str(output), "--no-verify", "--quiet") == 0
    assert classes_of(output)[-1] in ("Flatten", "Reshape")


def test_many_layers_of_one_name_are_numbered_without_counting_again() -> None:
    writer = Writer()
    names = [writer.layer("ReLU", "\u5c42/", {}) for _ in range(20_000)]
    assert (names[:3], names[-1]) == (["layer", "layer_2", "layer_3"], "layer_20000")


@pytest.mark.framework
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("opset", "count"), [(18, 2), (21, 6)], ids=["by groups", "by channels"])
def test_numbers_of_a_group_norm(opset: int, count: int, tmp_path: Path) -> None:
    """Places as many as groups must not be taken for channels."""
    ops = [("GroupNormalization", ["x", "scale", "shift"], ["y"], {"num_groups": 2})]
    tensors = {"scale": values((count,)) + 1, "shift": values((count,), 1)}
    saved(tmp_path / "m.onnx", ops, tensors, {"x": ["n", 6, 2, 2]}, ("y",), opset=opset)
    assert converted(tmp_path / "m.onnx", tmp_path / "m.keras")[0] == 0
    assert classes_of(tmp_path / "m.keras")[-1] == "GroupNormalization"
