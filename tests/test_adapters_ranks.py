"""Kernels of another number of axes of space: inflated, with the new axis first, and said as that."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, dense, wired, write

import weightbridge as wb
from weightbridge.adapters.apply.arithmetic import apply
from weightbridge.plan import Step

NAMES = ("c1", "b1", "up", "dw", "sep", "head")


def net(rank: int, names: tuple[str, ...] = NAMES, taps: int = 3) -> Config:
    """Each kind of convolution, with a BatchNorm beside it."""
    one, norm, up, by_channel, separable, head = names
    options: dict[str, Any] = {"kernel_size": [taps] * rank, "strides": [1] * rank, "padding": "same"}
    return wired(
        source("x", [8] * rank + [3]),
        layer(f"Conv{rank}D", one, filters=5, **options),
        layer("BatchNormalization", norm),
        layer(f"Conv{rank}DTranspose", up, filters=6, **options),
        *([layer(f"DepthwiseConv{rank}D", by_channel, depth_multiplier=1, **options)] if rank < 3 else []),
        *([layer(f"SeparableConv{rank}D", separable, filters=4, **options)] if rank < 3 else []),
        layer(f"GlobalAveragePooling{rank}D", "pool"),
        dense(head, 3),
    )


def checked(folder: Path, before: Config, after: Config) -> tuple[wb.Report, dict[str, Step]]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after))
    assert report.plan is not None
    return report, {step.target: step for step in report.plan.steps}


@pytest.mark.parametrize("names", [NAMES, ("q", "w", "e", "r", "t", "z")], ids=["names", "other-names"])
def test_every_kind_of_convolution_is_inflated(tmp_path: Path, names: tuple[str, ...]) -> None:
    report, steps = checked(tmp_path, net(1), net(2, names))
    kernels = [steps[f"{names[n]}/{role}"] for n, role in KERNELS]
    assert {(step.kind, step.contract) for step in kernels} == {("adapt", "lossy")}
    assert all("inflated from 1 -> 2 axes of space" in step.cost for step in kernels)
    said = {found.code for found in report.findings} - {"WB105", "WB206"}
    assert said == {"WB302"}, "an attribute with a value for each axis is no other function"
    assert {step.contract for name, step in steps.items() if name.startswith(names[1])} == {"bitwise"}


KERNELS = ((0, "kernel"), (2, "kernel"), (3, "kernel"), (4, "depthwise_kernel"))


def filled(step: Step, array: np.ndarray) -> np.ndarray:
    return apply(step, [array])[0]


def test_the_new_axis_is_first_and_the_kernel_in_its_middle(tmp_path: Path) -> None:
    _, steps = checked(tmp_path, net(2), net(3))
    array = np.random.default_rng(0).normal(size=(3, 3, 3, 5))
    value = filled(steps["c1/kernel"], array)
    np.testing.assert_array_equal(value[1], array)
    assert not value[[0, 2]].any()


def test_a_kernel_without_a_middle_is_spread_evenly(tmp_path: Path) -> None:
    _, steps = checked(tmp_path, net(1, taps=2), net(2, taps=2))
    array = np.random.default_rng(0).normal(size=(2, 3, 5))
    np.testing.assert_allclose(filled(steps["c1/kernel"], array), np.stack([array] * 2) / 2)


def test_fewer_axes_are_refused(tmp_path: Path) -> None:
    report, steps = checked(tmp_path, net(2), net(1))
    assert steps["c1/kernel"].kind == "fresh"
    assert "WB201" in {found.code for found in report.findings}


def test_the_same_rank_is_no_inflation(tmp_path: Path) -> None:
    report, steps = checked(tmp_path, net(2), net(2))
    assert {step.contract for step in steps.values()} == {"bitwise"}
    assert {found.code for found in report.findings} == {"WB105"}
