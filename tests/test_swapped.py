"""Swapped arguments: a source as it was initialised beside a trained target is said, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.planning.swapped import is_untrained

Arrays = dict[str, np.ndarray]
Make = Callable[[bool], Arrays]


def drawn(*shape: int) -> np.ndarray:
    """As PyTorch draws a kernel."""
    bound = np.prod(shape[1:]) ** -0.5
    return np.random.default_rng(sum(shape)).uniform(-bound, bound, shape).astype("f4")


def moved(values: np.ndarray, trained: bool) -> np.ndarray:
    change = np.random.default_rng(values.size).normal(scale=0.3, size=values.shape)
    return (values + change * trained).astype("f4")


def normed(trained: bool) -> Arrays:
    zeros, ones = np.zeros(8, "f4"), np.ones(8, "f4")
    norms = {"bn.weight": ones, "bn.bias": zeros, "bn.running_mean": zeros, "bn.running_var": ones}
    changed = {name: np.abs(moved(value, trained)) for name, value in norms.items()}
    return {"conv.weight": moved(drawn(8, 3, 3, 3), trained), **changed}


def linear(trained: bool) -> Arrays:
    sizes = {"a": (16, 8), "b": (4, 16)}
    kernels = {f"{name}.weight": moved(drawn(*shape), trained) for name, shape in sizes.items()}
    return kernels | {f"{name}.bias": moved(drawn(n, m)[:, 0], trained) for name, (n, m) in sizes.items()}


def zero_biases(trained: bool) -> Arrays:
    return linear(trained) | {
        f"{name}.bias": moved(np.zeros(n, "f4"), trained) for name, n in (("a", 16), ("b", 4))
    }


MAKERS = {"norms": normed, "uniform kernels": linear, "zero biases": zero_biases}


def model(folder: Path, make: Make, trained: bool) -> Path:
    return zip_file(folder / f"{'trained' if trained else 'fresh'}.pth", *held(make(trained)))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("source", [False, True], ids=["from fresh", "from trained"])
@pytest.mark.parametrize("target", [False, True], ids=["to fresh", "to trained"])
def test_only_from_fresh_to_trained_is_said(tmp_path: Path, make: Make, source: bool, target: bool) -> None:
    pair = model(tmp_path, make, source), model(tmp_path, make, target)
    report = wb.transfer(*pair, output=tmp_path / "o.safetensors", verify=False)
    assert ("WB308" in {f.code for f in report.findings}) == (not source and target)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("trained", [False, True], ids=["fresh", "trained"])
def test_a_model_looks_as_it_is(tmp_path: Path, make: Make, trained: bool) -> None:
    assert is_untrained(wb.read(model(tmp_path, make, trained))) != trained
