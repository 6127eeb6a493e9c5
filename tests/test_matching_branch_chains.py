"""Branches of a block: told by the layers that they have in turn, and moved as wholes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, conv, dense, wired, write
from torch_files import held, zip_file

import weightbridge as wb

WIDTH = 8
Shape = tuple[int, ...]
Chain = Sequence[str]  # `p`ointwise, `d`epthwise, `c`onvolution
KERNELS: Mapping[str, Shape] = {
    "p": (WIDTH, WIDTH, 1, 1),
    "d": (WIDTH, 1, 3, 3),
    "c": (WIDTH, WIDTH, 3, 3),
    "s": (WIDTH, 3, 3, 3),
}
STATE = ("weight", "bias", "running_mean", "running_var")
SHUFFLE = ("dp", "pdp")
ROOT = "features"


def checkpoint(folder: Path, branches: Mapping[str, Chain], blocks: int, style: str) -> Path:
    """style: where the name of a layer has its number."""
    kernels = {"stem.0": "s"}
    for n in range(blocks):
        for branch, chain in branches.items():
            kernels |= {
                style.format(block=f"{ROOT}.{n}", branch=branch, n=i * 3, one=i + 1): kind
                for i, kind in enumerate(chain)
            }
    shapes: dict[str, Shape] = {}
    for name, kind in kernels.items():
        shapes[f"{name}.weight"] = KERNELS[kind]
        shapes |= {f"{_norm(name)}.{part}": (WIDTH,) for part in STATE}
    shapes |= {"top.weight": (2, WIDTH), "top.bias": (2,)}
    return zip_file(folder / "source.pth", *held({k: np.ones(v, "f4") for k, v in shapes.items()}))


def _norm(name: str) -> str:
    """`a.0` -> `a.1`, `a.conv` -> `a.bn`."""
    scope, _, last = name.rpartition(".")
    return f"{scope}.{int(last) + 1 if last.isdigit() else last.replace('conv', 'bn')}"


def network(
    folder: Path, branches: Mapping[str, Chain], blocks: int, made: Sequence[str]
) -> tuple[Path, dict[str, tuple[str, int]]]:
    """The same with Keras's own names; which branch and place of it each convolution has.

    made: the branches in the order in which they are written down.
    """
    count = iter(range(100))
    layers: list[Config] = [source("x", [16, 16, 3])]
    fed: dict[str, tuple[str, ...]] = {}
    truth: dict[str, tuple[str, int]] = {}
    last = _unit(layers, fed, "s", "x", next(count))
    for n in range(blocks):
        ends = {}
        for branch in made:
            end = last
            for place, kind in enumerate(branches[branch]):
                end = _unit(layers, fed, kind, end, next(count))
                truth[layers[-2]["name"]] = (f"{ROOT}.{n}.{branch}", place)
            ends[branch] = end
        layers.append(layer("Add", f"add_{n}"))
        fed[f"add_{n}"] = tuple(ends[branch] for branch in branches)
        last = f"add_{n}"
    layers += [layer("GlobalAveragePooling2D", "pool"), dense("top", 2)]
    return write(folder, "target", wired(*layers, **fed)), truth


def _unit(layers: list[Config], fed: dict[str, tuple[str, ...]], kind: str, before: str, n: int) -> str:
    norm = f"batch_normalization_{n}"
    if kind == "d":
        name = f"depthwise_conv2d_{n}"
        options = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "same", "use_bias": False}
        layers.append(layer("DepthwiseConv2D", name, depth_multiplier=1, **options))
    else:
        name = f"conv2d_{n}"
        layers.append(conv(name, WIDTH, 1 if kind == "p" else 3))
    layers.append(layer("BatchNormalization", norm))
    fed |= {name: (before,), norm: (name,)}
    return norm


STYLES = [
    pytest.param("{block}.{branch}.{n}", id="Sequential"),
    pytest.param("{block}.{branch}.{n}.conv", id="modules of two"),
    pytest.param("{block}.{branch}_{one}.conv", id="numbered parts"),
]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("names", [("branch1", "branch2"), ("z", "a")])
@pytest.mark.parametrize("turn", [1, -1])
def test_branches_of_other_layers_are_never_swapped(
    tmp_path: Path, style: str, names: tuple[str, str], turn: int
) -> None:
    branches = dict(zip(names, SHUFFLE, strict=True))
    given = checkpoint(tmp_path, branches, 3, style)
    target, truth = network(tmp_path, branches, 3, names[::turn])
    report = wb.check(given, target)
    steps = {step.target: step for step in report.plan.steps} if report.plan else {}
    for name, (branch, place) in truth.items():
        block, _, own = branch.rpartition(".")
        expected = style.format(block=block, branch=own, n=place * 3, one=place + 1)
        kernel = next(step for step in steps.values() if step.target.startswith(f"{name}/"))
        assert kernel.sources == (f"{expected}.weight",)
        norm = steps[f"batch_normalization_{name.rpartition('_')[2]}/gamma"]
        assert norm.sources == (f"{_norm(expected)}.weight",)
    assert "WB204" not in {found.code for found in report.findings}
    assert "WB403" not in {found.code for found in report.findings}


def test_branches_of_one_kind_are_asked_about_as_wholes(tmp_path: Path) -> None:
    branches = {"left": "cc", "right": "cc"}
    given = checkpoint(tmp_path, branches, 2, "{block}.{branch}.{n}")
    target, truth = network(tmp_path, branches, 2, ("left", "right"))
    report = wb.check(given, target)
    assert report.plan is not None
    taken: dict[str, set[str]] = {}
    for step in report.plan.steps:
        branch = truth.get(step.target.partition("/")[0])
        if branch is not None:
            assert step.confidence <= 0.9
            taken.setdefault(branch[0], set()).add(step.sources[0].rsplit(".", 2)[0])
    assert all(len(whole) == 1 for whole in taken.values()), "no branch is mixed with another"
    assert "WB204" in {found.code for found in report.findings}
