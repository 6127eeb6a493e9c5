"""Running ONNX models: outputs, activations by layer, logits, float64, and what cannot be run."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved, small, values

from weightbridge import formats
from weightbridge.errors import ExternalReference, RunError, Unsupported
from weightbridge.formats.running import InputSpec, Observable

pytestmark = pytest.mark.framework
ROWS = {"x": ["n", 4]}


def feeds(batch: int = 2) -> dict[str, np.ndarray]:
    return {"x": values((batch, 3, 8, 8), 11)}


def test_outputs_layers_and_logits(tmp_path: Path) -> None:
    runner = formats.runner(small(tmp_path / "m.onnx"))
    assert isinstance(runner, Observable)
    assert runner.inputs == (InputSpec("x", (None, 3, 8, 8), "float32"),)
    assert (runner.outputs, dict(runner.logits)) == (("y",), {"y": "softmax"})
    found = runner.run(feeds(), ["bn", "fc", "x", "logits:y"])
    assert list(found) == ["y", "layer:bn", "layer:fc", "layer:x", "logits:y"]
    np.testing.assert_array_equal(found["logits:y"], found["layer:fc"])
    np.testing.assert_allclose(found["y"].sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(runner.run(feeds())["y"], found["y"], "asking for layers changes nothing")


def _ending(path: Path, *ends: Op) -> Path:
    w, shape = values((4, 6), 1), np.array([0, 3, 2])
    ops: list[Op] = [("MatMul", ["x", "w"], ["fc"], {}), ("Sigmoid", ["fc"], ["p"], {}), *ends]
    return saved(path, ops, {"w": w, "s": shape, "s0": np.array([0])}, ROWS, ["y"])


def test_logits_are_where_the_output_is(tmp_path: Path) -> None:
    """What moves numbers behind the sigmoid moves its logits too: a wrong order shows in both."""
    turn = ("Transpose", ["p"], ["t"], {"perm": [1, 0]})
    runner = formats.runner(_ending(tmp_path / "m.onnx", turn, ("Unsqueeze", ["t", "s0"], ["y"], {})))
    found = runner.run({"x": values((2, 4), 3)}, ["logits:y"])
    assert found["logits:y"].shape == (1, 6, 2)
    np.testing.assert_allclose(1 / (1 + np.exp(-found["logits:y"])), found["y"], rtol=1e-5)


def test_a_transpose_of_an_unknown_shape_shows_no_logits(tmp_path: Path) -> None:
    ends = ("Reshape", ["p", "s"], ["r"], {}), ("Transpose", ["r"], ["y"], {"perm": [0, 2, 1]})
    assert not formats.runner(_ending(tmp_path / "m.onnx", *ends)).logits


def test_the_layer_is_what_its_tensors_compute(tmp_path: Path) -> None:
    ops: list[Op] = [
        ("MatMul", ["x", "w"], ["m"], {}),
        ("Add", ["m", "b"], ["a"], {}),
        ("Relu", ["a"], ["y"], {}),
    ]
    w, b, x = values((4, 3), 1), values((3,), 2), values((2, 4), 3)
    runner = formats.runner(
        saved(
            tmp_path / "m.onnx",
            ops,
            {"w": w, "b": b},
            ROWS,
            ["y"],
            names=["/fc/MatMul", "/fc/Add", "/act/Relu"],
        )
    )
    np.testing.assert_allclose(runner.run({"x": x}, ["fc"])["layer:fc"], x @ w + b, rtol=1e-6)


def test_every_layer_has_the_shape_that_was_read(tmp_path: Path) -> None:
    path = small(tmp_path / "m.onnx")
    runner = formats.runner(path)
    assert isinstance(runner, Observable)
    found = runner.run(feeds(), runner.layers)
    for layer in formats.read(path).layers:
        assert found[f"layer:{layer.name}"].shape[1:] == layer.output_shape, layer.name


@pytest.mark.parametrize("op", ["Conv", "Gemm", "LSTM"])
def test_float64(tmp_path: Path, op: str) -> None:
    ops: dict[str, list[Op]] = {
        "Conv": [
            ("Conv", ["x", "w"], ["a"], {}),
            ("BatchNormalization", ["a", "s", "s", "s", "s"], ["y"], {"momentum": 0.9}),
        ],
        "Gemm": [("Gemm", ["x", "w", "s"], ["y"], {"transB": 1})],
        "LSTM": [("LSTM", ["x", "w", "r"], ["y"], {"hidden_size": 4})],
    }
    shapes = {"Conv": ((4, 4, 1, 1), (2, 4, 3, 3)), "Gemm": ((4, 4), (2, 4)), "LSTM": ((1, 16, 4), (3, 2, 4))}
    weight, given = shapes[op]
    tensors = {"w": values(weight, 1), "s": values((4,), 2), "r": values((1, 16, 4), 3)}
    read = {v for _, inputs, _, _ in ops[op] for v in inputs}
    path = saved(
        tmp_path / "m.onnx",
        ops[op],
        {k: v for k, v in tensors.items() if k in read},
        {"x": list(given)},
        ["y"],
        opset=13,
    )
    x = values(given, 4)
    single, double = (formats.runner(path, dtype).run({"x": x})["y"] for dtype in ("float32", "float64"))
    assert double.dtype == np.float64
    assert 0 < np.abs(double - single).max() < 1e-4 * np.abs(double).max()


@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 4), 1), ((2, 4, 3), 1), ((2, 4, 3), -1)], ids=["matrix", "channels", "last axis"]
)
def test_a_log_softmax_of_large_numbers_is_finite_in_float64(
    tmp_path: Path, shape: tuple[int, ...], axis: int
) -> None:
    given = ["n", *shape[1:]]
    ops: list[Op] = [
        ("Conv", ["i", "w"], ["c"], {}),
        ("LogSoftmax", ["x"], ["y"], {"axis": axis}),
    ]  # no float64 kernel for Conv
    tensors, image = {"w": values((1, 1, 1, 1), 1)}, values((1, 1, 1, 1), 2)
    path = saved(tmp_path / "m.onnx", ops, tensors, {"x": given, "i": [1, 1, 1, 1]}, ["y", "c"], opset=13)
    feeds = {"x": 1e4 * values(shape, 4), "i": image}
    single, double = (formats.runner(path, dtype).run(feeds)["y"] for dtype in ("float32", "float64"))
    np.testing.assert_allclose(double, single, rtol=1e-5)
    assert np.isfinite(double).all()


def test_the_vocabulary_of_integer_inputs(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.onnx",
        [("Gather", ["t", "x"], ["y"], {})],
        {"t": values((9, 4))},
        {"x": ["n", 3]},
        ["y"],
        dtype=7,
    )
    assert formats.runner(path).inputs == (InputSpec("x", (None, 3), "int64", 9),)


def test_wrong_feeds_and_unknown_layers(tmp_path: Path) -> None:
    runner = formats.runner(small(tmp_path / "m.onnx"))
    with pytest.raises(RunError, match=r"m\.onnx: onnxruntime cannot run it"):
        runner.run({"x": values((2, 5, 8, 8))})
    with pytest.raises(RunError, match="'absent'"):
        runner.run(feeds(), ["absent"])


def test_an_operation_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="onnxruntime cannot load it"):
        formats.runner(saved(tmp_path / "m.onnx", [("Nonsense", ["x"], ["y"], {})], {}, ROWS, ["y"]))


def test_a_file_is_checked_before_it_is_run(tmp_path: Path) -> None:
    from test_formats_onnx_write import external

    path = external(tmp_path / "m.onnx")
    (tmp_path / "weights.bin").rename(tmp_path / "real.bin")
    (tmp_path / "weights.bin").symlink_to(tmp_path / "real.bin")
    with pytest.raises(ExternalReference):
        formats.runner(path)
