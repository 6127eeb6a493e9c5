"""One function in two forms: dense behind a Flatten and a convolution over the whole map; separable and
plain.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, numbers, source, write_legacy
from network_files import Config, conv, dense, wired, write

import weightbridge as wb
from weightbridge.plan import Step
from weightbridge.transforms import apply


def _trunk(name: str, shape: tuple[int | None, ...]) -> list[Config]:
    pool = layer("MaxPooling2D", "pool", pool_size=[4, 4], strides=[4, 4], padding="valid")
    return [source("x", list(shape)), conv(name, 4, use_bias=True), pool]


def flat(names: tuple[str, ...] = ("c1", "fc1", "fc2")) -> Config:
    one, two, three = names
    return wired(*_trunk(one, (16, 16, 3)), layer("Flatten", "flat"), dense(two, 8), dense(three, 3))


def full(
    names: tuple[str, ...] = ("c1", "fc1", "fc2"),
    shape: tuple[int | None, ...] = (16, 16, 3),
    taps: int = 4,
    padding: str = "valid",
) -> Config:
    one, two, three = names
    head = conv(two, 8, taps, padding=padding, use_bias=True)
    return wired(*_trunk(one, shape), head, conv(three, 3, 1, use_bias=True))


def steps_of(folder: Path, before: Config, after: Config, **options: Any) -> dict[str, Step]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after), **options)
    assert report.plan is not None
    return {step.target: step for step in report.plan.steps}


WHOLE = {
    "same-names": (flat(), full()),
    "other-names": (flat(), full(("k1", "k2", "k3"))),
    "any-size": (flat(), full(shape=(None, None, 3))),
    "back": (full(), flat(("z1", "z2", "z3"))),
}


@pytest.mark.parametrize(("before", "after"), WHOLE.values(), ids=WHOLE.keys())
def test_the_kernel_is_reshaped_exactly(tmp_path: Path, before: Config, after: Config) -> None:
    steps = steps_of(tmp_path, before, after)
    assert {step.contract for step in steps.values()} == {"bitwise"}
    assert any("(h w i)" in step.transform for step in steps.values())


OTHERS = {"smaller-kernel": full(taps=3), "padded": full(padding="same")}


@pytest.mark.parametrize("after", OTHERS.values(), ids=OTHERS.keys())
def test_a_kernel_that_does_not_read_the_whole_map_gets_nothing(tmp_path: Path, after: Config) -> None:
    steps = steps_of(tmp_path, flat(), after)
    assert steps["fc1/kernel"].kind == "fresh"
    assert steps["c1/kernel"].kind == "copy"


def test_a_map_makes_no_crop_of_it(tmp_path: Path) -> None:
    files = write(tmp_path, "source", flat()), write(tmp_path, "target", full(taps=3))
    with pytest.raises(wb.WeightbridgeError, match="fc1/kernel"):
        wb.check(*files, map={"fc1/kernel": "fc1/kernel"})


def test_weights_alone_go_into_the_whole_kernel(tmp_path: Path) -> None:
    shapes = {"c1": ((3, 3, 3, 4), (4,)), "fc1": ((64, 8), (8,)), "fc2": ((8, 3), (3,))}
    groups = {
        name: {f"{name}/kernel:0": numbers(*kernel), f"{name}/bias:0": numbers(*bias)}
        for name, (kernel, bias) in shapes.items()
    }
    report = wb.check(write_legacy(tmp_path / "w.h5", groups), write(tmp_path, "target", full()))
    assert report.plan is not None
    assert {step.contract for step in report.plan.steps} == {"bitwise"}


def _with_first(name: str, kind: str, **options: Any) -> Config:
    first = layer(kind, name, filters=6, kernel_size=[3, 3], strides=[1, 1], padding="same", **options)
    return wired(
        source("x", [8, 8, 3]), first, layer("BatchNormalization", "n"), conv("c", 4), layer("Flatten", "f")
    )


@pytest.mark.parametrize("name", ["first", "other"])
def test_a_separable_convolution_becomes_the_plain_one(tmp_path: Path, name: str) -> None:
    separable = _with_first("first", "SeparableConv2D", depth_multiplier=2)
    steps = steps_of(tmp_path, separable, _with_first(name, "Conv2D"))
    kernel = steps[f"{name}/kernel"]
    assert (kernel.transform, kernel.contract) == ("separable-product", "preserving")
    assert {step.kind for step in steps.values()} == {"copy", "transform"}


def test_the_product_is_that_of_the_two_convolutions() -> None:
    random = np.random.default_rng(0)
    depth, point = random.normal(size=(3, 3, 2, 4)), random.normal(size=(1, 1, 8, 5))
    patch = random.normal(size=(3, 3, 2))
    by_channel = np.einsum("hwc,hwcm->cm", patch, depth).reshape(-1)
    expected = by_channel @ point.reshape(8, 5)
    kernel = apply("separable-product", {}, [depth, point])
    np.testing.assert_allclose(np.einsum("hwc,hwco->o", patch, kernel), expected)


def test_a_plain_one_has_no_separable_form(tmp_path: Path) -> None:
    after = _with_first("first", "SeparableConv2D", depth_multiplier=2)
    steps = steps_of(tmp_path, _with_first("first", "Conv2D"), after)
    assert steps["first/depthwise_kernel"].kind == "fresh"


def test_separable_ones_on_both_sides_stay_in_halves(tmp_path: Path) -> None:
    separable = _with_first("first", "SeparableConv2D", depth_multiplier=2)
    steps = steps_of(tmp_path, separable, separable)
    assert {step.contract for step in steps.values()} == {"bitwise"}
    assert steps["first/depthwise_kernel"].kind == "copy"
