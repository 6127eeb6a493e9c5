"""BatchNorm that an exporter wrote without folding its constants: a factor that the graph computes from variance and gamma."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import numbers, write_weights
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.graph import LayerGraph

WIDTH = 4
EPSILON = np.float32(1e-3)
NAMES = {"gamma": 3, "beta": 4, "moving_mean": 5, "moving_variance": 6}
FACTOR: list[Op] = [
    ("Reshape", ["v0", "shape"], ["v"], {}),
    ("Add", ["v", "eps"], ["e"], {}),
    ("Sqrt", ["e"], ["s"], {}),
    ("Reciprocal", ["s"], ["r"], {}),
    ("Mul", ["r", "gamma"], ["f"], {}),
]
FORMS: dict[str, list[Op]] = {
    "mean first": [("Sub", ["c", "m"], ["d"], {}), ("Mul", ["d", "f"], ["p"], {}), ("Add", ["p", "beta"], ["y"], {})],
    "one offset": [
        ("Mul", ["m", "f"], ["mf"], {}),
        ("Sub", ["beta", "mf"], ["o"], {}),
        ("Mul", ["c", "f"], ["p"], {}),
        ("Add", ["p", "o"], ["y"], {}),
    ],
    "divided": [
        ("Sub", ["c", "m"], ["d"], {}),
        ("Div", ["d", "s"], ["q"], {}),
        ("Mul", ["gamma", "q"], ["p"], {}),
        ("Add", ["beta", "p"], ["y"], {}),
    ],
    "no beta": [("Sub", ["c", "m"], ["d"], {}), ("Mul", ["d", "f"], ["y"], {})],
    "no gamma": [("Sub", ["c", "m"], ["d"], {}), ("Mul", ["d", "r"], ["p"], {}), ("Add", ["p", "beta"], ["y"], {})],
}  # fmt: skip
LIKE: dict[str, list[Op]] = {
    "the factor twice": [("Mul", ["c", "f"], ["d"], {}), ("Mul", ["d", "f"], ["p"], {}), ("Add", ["p", "beta"], ["y"], {})],
    "read between": [*FORMS["mean first"][:2], ("Add", ["p", "beta"], ["z"], {}), ("Add", ["z", "d"], ["y"], {})],
}


def _saved(folder: Path, steps: list[Op], factor: list[Op] = FACTOR) -> Path:
    ops: list[Op] = [("Conv", ["x", "k"], ["c"], {}), ("Reshape", ["mean", "shape"], ["m"], {}), *factor, *steps]
    tensors = {"k": values((WIDTH, 3, 1, 1)), "eps": EPSILON, "shape": np.array([1, WIDTH, 1, 1])}
    tensors |= {"gamma": values((WIDTH, 1, 1), 3), "beta": values((WIDTH, 1, 1), 4), "mean": values((WIDTH,), 5), "v0": values((WIDTH,), 6)}
    return saved(folder / "source.onnx", ops, tensors, {"x": [1, 3, 8, 8]}, ["y"])


def _norms(graph: LayerGraph) -> list[dict[str, str]]:
    return [{t.role: t.name for t in x.tensors} for x in graph.layers if x.op == "BatchNorm"]


@pytest.mark.parametrize("form", FORMS)
def test_a_factor_that_is_computed_is_a_batchnorm(tmp_path: Path, form: str) -> None:
    graph = formats.read(_saved(tmp_path, FORMS[form]))
    expected = {"gamma": "gamma", "beta": "beta", "moving_mean": "mean", "moving_variance": "v0"}
    missing = {"no beta": "beta", "no gamma": "gamma"}.get(form)
    assert _norms(graph) == [{role: name for role, name in expected.items() if role != missing}]
    norm = next(x for x in graph.layers if x.op == "BatchNorm")
    assert (norm.attributes["epsilon"], norm.attributes["axis"]) == (1e-3, -3)
    assert [x.op for x in graph.layers] == ["Input", "Conv", "BatchNorm"]


@pytest.mark.parametrize("form", LIKE)
def test_what_computes_something_else_is_none(tmp_path: Path, form: str) -> None:
    assert not _norms(formats.read(_saved(tmp_path, LIKE[form])))


def test_a_long_way_to_a_factor_is_not_walked(tmp_path: Path) -> None:
    chain: list[Op] = [("Mul", [f"l{i}" if i else "f", "eps"], [f"l{i + 1}"], {}) for i in range(3000)]
    steps: list[Op] = [("Sub", ["c", "m"], ["d"], {}), ("Mul", ["d", "l3000"], ["y"], {})]
    assert not _norms(formats.read(_saved(tmp_path, [*chain, *steps])))


def _target(folder: Path) -> Path:
    kernel = numbers(1, 1, 3, WIDTH)
    groups = {"layers/conv2d": ("u1", [kernel]), "layers/batch_normalization": ("u2", [numbers(WIDTH, seed=i + 9) for i in range(4)])}
    return write_weights(folder / "target.weights.h5", groups)


def test_its_tensors_arrive_as_they_are(tmp_path: Path) -> None:
    steps = wb.plan(_saved(tmp_path, FORMS["mean first"]), _target(tmp_path)).steps
    assert {s.target: s.sources for s in steps if s.target.startswith("u2")} == {
        "u2/gamma": ("gamma",), "u2/beta": ("beta",), "u2/moving_mean": ("mean",), "u2/moving_variance": ("v0",)
    }  # fmt: skip


def test_a_factor_that_is_not_understood_is_said(tmp_path: Path) -> None:
    odd: list[Op] = [*FACTOR[:-1], ("Exp", ["gamma"], ["g"], {}), ("Mul", ["r", "g"], ["f"], {})]
    report = wb.transfer(_saved(tmp_path, FORMS["mean first"], odd), _target(tmp_path), output=tmp_path / "o.weights.h5", verify=False)
    assert {"WB202", "WB203"} <= {f.code for f in report.findings}
    assert report.plan is not None
    assert not [s for s in report.plan.steps if s.target.startswith("u2") and s.sources and s.confidence > 0.9]
