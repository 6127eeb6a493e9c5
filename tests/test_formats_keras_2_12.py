"""`.keras` files of Keras 2.12 and 2.13, which number layers with gaps."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import functional, layer, numbers, sequential, source, write_keras

from weightbridge import formats

OLDER = "_layer_checkpoint_dependencies"


def conv(name: str) -> dict:
    return layer("Conv2D", name, filters=3, kernel_size=[3, 3])


def dense(name: str) -> dict:
    return layer("Dense", name, units=3)


def kernel(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return numbers(3, 3, 3, 3, seed=seed), numbers(3, seed=seed)


def matrix(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return numbers(3, 3, seed=seed), numbers(3, seed=seed)


@pytest.mark.parametrize("container", [OLDER, "layers"])
def test_layers_of_one_class_keep_their_weights(tmp_path: Path, container: str) -> None:
    config = sequential(
        source("x", [9, 9, 3]), conv("a"), layer("Activation", "r", activation="relu"), conv("b"), conv("c")
    )
    step = 2 if container == OLDER else 1
    groups = {
        f"{container}/conv2d": ("", kernel(0)),
        f"{container}/activation": ("", ()),
        f"{container}/conv2d_{step}": ("", kernel(1)),
        f"{container}/conv2d_{2 * step}": ("", kernel(2)),
    }
    graph = formats.read(write_keras(tmp_path / "m.keras", config, groups, version="2.12.0"))
    for seed, name in enumerate("abc"):
        assert np.array_equal(graph.tensor_by_name[f"{name}/kernel"].load(), kernel(seed)[0])


def test_nested_models_are_numbered_in_the_same_way(tmp_path: Path) -> None:
    def inner(name: str) -> dict:
        return sequential(source("x", [3]), dense(f"{name}1"), dense(f"{name}2"), name=name)

    layers = [source("x", [3]), inner("first"), inner("second"), dense("top")]
    calls = {"first": [["x"]], "second": [["first"]], "top": [["second"]]}
    groups = {f"{OLDER}/dense": ("", matrix(9))}
    for n, outer in enumerate(("sequential", "sequential_2")):
        groups[f"{OLDER}/{outer}/{OLDER}/dense"] = ("", matrix(2 * n))
        groups[f"{OLDER}/{outer}/{OLDER}/dense_2"] = ("", matrix(2 * n + 1))
    config = functional(layers, calls, [["top", 0, 0]])
    graph = formats.read(write_keras(tmp_path / "m.keras", config, groups, version="2.13.1"))
    names = ("first/first1", "first/first2", "second/second1", "second/second2")
    for seed, name in enumerate(names):
        assert np.array_equal(graph.tensor_by_name[f"{name}/kernel"].load(), matrix(seed)[0])
    assert not [f for f in graph.findings if f.code in ("WB105", "WB904")]


def test_a_group_that_is_not_there_is_said(tmp_path: Path) -> None:
    config = sequential(source("x", [3]), dense("a"), dense("b"))
    groups = {f"{OLDER}/dense": ("", matrix(0))}
    graph = formats.read(write_keras(tmp_path / "m.keras", config, groups, version="2.12.0"))
    assert [f.source for f in graph.findings if f.code == "WB105"] == ["b"]
