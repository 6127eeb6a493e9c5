"""A state dict beside an exported graph whose folded layers have no names: blocks tell layers and norms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_samples import saved
from safetensors.numpy import save_file

import weightbridge as wb
from weightbridge.plan import Step

BLOCKS = ("neck.0", "neck.1", "neck.2")
FLOW = (2, 0, 1)  # the graph walks through the blocks in another order than their names have


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


def state(folder: Path, norms: str = "bn") -> Path:
    """Each block: a pointwise convolution, one by channel, and the norm of the second one."""
    tensors = {}
    for block in BLOCKS:
        tensors |= {f"{block}.conv1.weight": numbers(4, 4, 1, 1), f"{block}.conv1.bias": numbers(4)}
        tensors |= {f"{block}.conv2.weight": numbers(4, 1, 3, 3), f"{block}.conv2.bias": numbers(4)}
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{block}.{norms}.{part}"] = numbers(4)
    save_file(tensors, str(folder / "state.safetensors"))
    return folder / "state.safetensors"


def exported(folder: Path) -> Path:
    """The norms are folded into the second convolutions, whose weights the exporter has named anew."""
    weights: dict[str, np.ndarray] = {}
    operations: list[Any] = []
    value = "x"
    for n, place in enumerate(FLOW):
        first, second = f"{BLOCKS[place]}.conv1", str(400 + 3 * n)
        weights |= {f"{first}.weight": numbers(4, 4, 1, 1), f"{first}.bias": numbers(4)}
        weights |= {second: numbers(4, 1, 3, 3), f"{second}b": numbers(4)}
        by_channel = {"group": 4, "pads": [1, 1, 1, 1]}
        operations += [
            ("Conv", [value, f"{first}.weight", f"{first}.bias"], [f"a{n}"], {}),
            ("Conv", [f"a{n}", second, f"{second}b"], [f"b{n}"], by_channel),
            ("Relu", [f"b{n}"], [f"c{n}"], {}),
        ]
        value = f"c{n}"
    return saved(folder / "folded.onnx", operations, weights, {"x": (1, 4, 8, 8)}, (value,))


def steps_of(folder: Path, norms: str = "bn") -> dict[str, Step]:
    plan = wb.check(state(folder, norms), exported(folder)).plan
    assert plan is not None
    return {step.target: step for step in plan.steps}


@pytest.mark.parametrize("norms", ["bn", "norm", "z"])
def test_a_norm_goes_into_the_layer_before_it_in_its_own_block(tmp_path: Path, norms: str) -> None:
    steps = steps_of(tmp_path, norms)
    for n, place in enumerate(FLOW):
        block = BLOCKS[place]
        kernel = steps[str(400 + 3 * n)]
        assert kernel.transform == "fold-batchnorm"
        assert {name.rpartition(".")[0] for name in kernel.sources} == {f"{block}.conv2", f"{block}.{norms}"}


def test_a_layer_whose_name_the_other_side_has_gets_no_norm(tmp_path: Path) -> None:
    steps = steps_of(tmp_path)
    for block in BLOCKS:
        assert (steps[f"{block}.conv1.weight"].kind, steps[f"{block}.conv1.weight"].transform) == ("copy", "")
