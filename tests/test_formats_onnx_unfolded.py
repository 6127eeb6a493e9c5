"""BatchNorm that an exporter wrote without folding its constants.

A factor that the graph computes from variance and gamma.
"""

from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, numbers, sequential, source, write_keras, write_weights
from onnx_samples import Op, saved, values

import weightbridge as wb
from weightbridge import formats
from weightbridge.model.graph import LayerGraph
from weightbridge.transforms import apply

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
    "mean first": [
        ("Sub", ["c", "m"], ["d"], {}),
        ("Mul", ["d", "f"], ["p"], {}),
        ("Add", ["p", "beta"], ["y"], {}),
    ],
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
    "no gamma": [
        ("Sub", ["c", "m"], ["d"], {}),
        ("Mul", ["d", "r"], ["p"], {}),
        ("Add", ["p", "beta"], ["y"], {}),
    ],
}
LIKE: dict[str, list[Op]] = {
    "the factor twice": [
        ("Mul", ["c", "f"], ["d"], {}),
        ("Mul", ["d", "f"], ["p"], {}),
        ("Add", ["p", "beta"], ["y"], {}),
    ],
    "read between": [
        *FORMS["mean first"][:2],
        ("Add", ["p", "beta"], ["z"], {}),
        ("Add", ["z", "d"], ["y"], {}),
    ],
}


def _saved(
    folder: Path, steps: list[Op], factor: list[Op] = FACTOR, mean_shape: tuple[int, ...] = (1, WIDTH, 1, 1)
) -> Path:
    ops: list[Op] = [
        ("Conv", ["x", "k"], ["c"], {}),
        ("Reshape", ["mean", "mean_shape"], ["m"], {}),
        *factor,
        *steps,
    ]
    tensors = {
        "k": values((WIDTH, 3, 1, 1)),
        "eps": EPSILON,
        "shape": np.array([1, WIDTH, 1, 1]),
        "mean_shape": np.array(mean_shape),
        "gamma": values((WIDTH, 1, 1), 3),
        "beta": values((WIDTH, 1, 1), 4),
        "mean": values((WIDTH,), 5),
        "v0": values((WIDTH,), 6),
    }
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


def test_a_reshape_to_another_size_is_not_computed(tmp_path: Path) -> None:
    huge = (1, 1 << 40, 1, 1)
    assert not _norms(formats.read(_saved(tmp_path, FORMS["mean first"], mean_shape=huge)))


def _target(folder: Path) -> Path:
    kernel = numbers(1, 1, 3, WIDTH)
    groups = {
        "layers/conv2d": ("u1", [kernel]),
        "layers/batch_normalization": ("u2", [numbers(WIDTH, seed=i + 9) for i in range(4)]),
    }
    return write_weights(folder / "target.weights.h5", groups)


def test_its_tensors_arrive_as_they_are(tmp_path: Path) -> None:
    steps = wb.plan(_saved(tmp_path, FORMS["mean first"]), _target(tmp_path)).steps
    assert {s.target: s.sources for s in steps if s.target.startswith("u2")} == {
        "u2/gamma": ("gamma",),
        "u2/beta": ("beta",),
        "u2/moving_mean": ("mean",),
        "u2/moving_variance": ("v0",),
    }


def test_a_factor_that_is_not_understood_is_said(tmp_path: Path) -> None:
    odd: list[Op] = [*FACTOR[:-1], ("Exp", ["gamma"], ["g"], {}), ("Mul", ["r", "g"], ["f"], {})]
    report = wb.transfer(
        _saved(tmp_path, FORMS["mean first"], odd),
        _target(tmp_path),
        output=tmp_path / "o.weights.h5",
        verify=False,
        on_fail="return",
    )
    assert {"WB202", "WB203"} <= {f.code for f in report.findings}
    assert report.plan is not None
    assert not [
        s for s in report.plan.steps if s.target.startswith("u2") and s.sources and s.confidence > 0.9
    ]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(("gamma", "beta"), id="all"),
        pytest.param(("beta",), id="no gamma"),
        pytest.param(("gamma",), id="no beta"),
        pytest.param((), id="neither"),
    ],
)
def test_affine_nodes_fill_whatever_the_layer_has(parts: tuple[str, ...]) -> None:
    arrays = [values((WIDTH,), 1), values((WIDTH,), 2), values((WIDTH,), 3)]
    x, epsilon = values((5, WIDTH), 4), 1e-3

    def value(name: str) -> np.ndarray:
        return apply(
            "affine", {"value": name, "ops": ["subtract", "multiply", "add"], "epsilon": epsilon}, arrays
        )

    scale, mean = value("scale") if "gamma" in parts else 1.0, 0.0 if "beta" in parts else value("mean")
    variance = 1.0 if "gamma" in parts else value("variance")
    got = (x - mean) * scale / np.sqrt(variance + epsilon) + (value("shift") if "beta" in parts else 0.0)
    np.testing.assert_allclose(got, (x - arrays[0]) * arrays[1] + arrays[2], rtol=1e-5)


def test_no_variance_turns_a_sign() -> None:
    found = apply(
        "affine", {"value": "variance", "ops": ["multiply"], "epsilon": 1e-3}, [np.array([0.5, -0.5, 0.0])]
    )
    assert np.isnan(found).tolist() == [False, True, True]


def test_a_layer_without_gamma_takes_affine_nodes(tmp_path: Path) -> None:
    steps: list[Op] = [
        ("Sub", ["c", "m"], ["d"], {}),
        ("Mul", ["d", "gamma"], ["p"], {}),
        ("Add", ["p", "beta"], ["y"], {}),
    ]
    norm = layer("BatchNormalization", "u2", scale=False, epsilon=1e-3)
    conv = layer("Conv2D", "u1", filters=WIDTH, kernel_size=[1, 1], use_bias=False)
    groups = {
        "layers/conv2d": ("u1", [numbers(1, 1, 3, WIDTH)]),
        "layers/batch_normalization": ("u2", [numbers(WIDTH)] * 3),
    }
    target = write_keras(tmp_path / "t.keras", sequential(source("u0", (8, 8, 3)), conv, norm), groups)
    found = {
        s.target: (s.sources, s.transform) for s in wb.plan(_saved(tmp_path, steps, FACTOR[:1]), target).steps
    }
    chain = ("mean", "gamma", "beta")
    assert {k: v for k, v in found.items() if k.startswith("u2")} == {
        "u2/beta": (chain, "affine"),
        "u2/moving_variance": (chain, "affine"),
        "u2/moving_mean": ((), "constant"),
    }
