"""Legacy files of weights alone in which one group holds several layers: each is a layer of its own."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import numbers, write_legacy

from weightbridge import api, formats
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step
from weightbridge.planning.ledger import without_second_uses

FLAT = {
    "conv_1_W": numbers(3, 3, 3, 3, seed=1),
    "conv_1_b": numbers(3, seed=1),
    "bn_1_gamma": numbers(3, seed=2),
    "bn_1_beta": numbers(3, seed=3),
    "conv_2_W": numbers(3, 3, 3, 3, seed=4),
    "conv_2_b": numbers(3, seed=4),
    "bn_1_running_mean": numbers(3, seed=5),
    "bn_1_running_std": abs(numbers(3, seed=6)),
}
COUNTED = {
    "kernel:0": numbers(4, 4, seed=1),
    "bias:0": numbers(4, seed=1),
    "kernel_1:0": numbers(4, 4, seed=2),
    "bias_1:0": numbers(4, seed=2),
}
DIRECTIONS = {
    f"{way}_lstm_1_{part}_{gate}": numbers(*shape, seed=seed + ord(gate))
    for seed, way in enumerate(("forward", "backward"))
    for gate in "ifco"
    for part, shape in (("W", (3, 2)), ("U", (2, 2)), ("b", (2,)))
}


@pytest.mark.parametrize(
    ("weights", "inner"),
    [
        (FLAT, {"body/conv_1": "Conv", "body/bn_1": "BatchNorm", "body/conv_2": "Conv"}),
        (COUNTED, {"body": "Dense", "body/1": "Dense"}),
        (DIRECTIONS, {"body/forward_lstm_1": "LSTM", "body/backward_lstm_1": "LSTM"}),
        ({"body_W": numbers(2, 3), "body_b": numbers(3)}, {"body": "Dense"}),
    ],
    ids=["flat names", "counted roles", "two directions", "one layer"],
)
def test_each_layer_of_a_group_is_one(
    tmp_path: Path, weights: dict[str, np.ndarray], inner: dict[str, str]
) -> None:
    graph = formats.read(write_legacy(tmp_path / "w.h5", {"body": weights}))
    assert {layer.name: layer.op for layer in graph.layers if layer.tensors} == inner


@pytest.mark.parametrize("weights", [FLAT, COUNTED, DIRECTIONS], ids=["flat", "counted", "directions"])
def test_each_tensor_of_a_group_goes_to_its_counterpart(
    tmp_path: Path, weights: dict[str, np.ndarray]
) -> None:
    source = write_legacy(tmp_path / "a.h5", {"body": weights})
    other = {name: np.zeros_like(value) for name, value in weights.items()}
    api.transfer(
        source,
        write_legacy(tmp_path / "b.h5", {"body": other}),
        output=tmp_path / "out.h5",
        verify=False,
        fail_on="never",
    )
    written = {t.key.rsplit("/", 1)[-1]: t.load() for t in formats.read(tmp_path / "out.h5").tensors}
    assert all(np.array_equal(written[name], value) for name, value in weights.items())


def graph_of(*names: str, tied: bool = False) -> LayerGraph:
    ties = {"tied": {"kernel": f"{names[0]}/kernel"}} if tied else {}
    layers = [Layer(name, "Dense", attributes={}, tensors=(tensor(f"{name}/kernel"),)) for name in names]
    again = Layer("again", "Dense", attributes=ties)
    return LayerGraph("m.h5", "keras-h5", "keras", layers=(*layers, again))


def tensor(name: str) -> Tensor:
    return Tensor(name, "kernel", (2, 2), "float32", name, lambda: np.zeros((2, 2)))


def step(target: str, transform: str = "", evidence: tuple[str, ...] = ("name",), sure: float = 1.0) -> Step:
    return Step(target, ("a/kernel",), "copy", "bitwise", (2, 2), 4, transform, {}, sure, evidence)


@pytest.mark.parametrize(
    ("second", "tied", "left"),
    [
        (step("y/kernel"), False, set()),
        (step("y/kernel", "i o -> o i"), False, set()),
        (step("y/kernel", sure=0.85), False, {"x/kernel"}),
        (step("y/kernel", "split"), False, {"x/kernel", "y/kernel"}),
        (step("y/kernel", evidence=("map",)), False, {"x/kernel", "y/kernel"}),
        (step("y/kernel"), True, {"x/kernel", "y/kernel"}),
    ],
    ids=["as sure", "turned", "less sure", "a part", "the user says so", "tied in the source"],
)
def test_one_tensor_fills_one_target(second: Step, tied: bool, left: set[str]) -> None:
    steps = {s.target: s for s in (step("x/kernel"), second)}
    source, target = graph_of("a", tied=tied), graph_of("x", "y")
    kept, findings = without_second_uses(source, target, steps)
    assert set(kept) == left
    assert [f.code for f in findings] == ["WB202"] * (len(left) < 2)
