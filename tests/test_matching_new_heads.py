"""A dense head behind pooling and 1x1 convolutions of its shape: only one that is a head fills it."""

from pathlib import Path

import pytest
from keras_files import layer, numbers, source, write_legacy
from network_files import Config, conv, dense, wired, write

import weightbridge as wb

POOL = layer("GlobalAveragePooling2D", "pool")


def target(head: str = "t3") -> Config:
    layers = [source("x", [16, 16, 3]), conv("t1", 8, use_bias=True), conv("t2", 8, use_bias=True)]
    return wired(*layers, POOL, dense(head, 10))


def given(*after: Config) -> Config:
    layers = [source("x", [16, 16, 3]), conv("a", 8, use_bias=True), conv("c", 8, use_bias=True)]
    return wired(*layers, conv("b", 10, 1, use_bias=True), *after)


def source_of_head(folder: Path, before: Path, after: Config) -> tuple[str, ...]:
    plan = wb.check(before, write(folder, "target", after)).plan
    assert plan is not None
    return next(step.sources for step in plan.steps if step.target.startswith("t3/kernel"))


TRUNKS = {
    "activated": (layer("ReLU", "r"),),
    "read-by-another": (layer("ReLU", "r"), conv("e", 12, use_bias=True)),
}


@pytest.mark.parametrize("after", TRUNKS.values(), ids=TRUNKS.keys())
def test_a_convolution_of_the_trunk_is_no_head(tmp_path: Path, after: tuple[Config, ...]) -> None:
    assert source_of_head(tmp_path, write(tmp_path, "source", given(*after)), target()) == ()


HEADS = {"pooled-after": (POOL,), "pooled-and-softmax": (POOL, layer("Softmax", "s"))}


@pytest.mark.parametrize("after", HEADS.values(), ids=HEADS.keys())
def test_a_convolution_that_writes_the_output_is_one(tmp_path: Path, after: tuple[Config, ...]) -> None:
    assert source_of_head(tmp_path, write(tmp_path, "source", given(*after)), target()) == ("b/kernel",)


@pytest.mark.parametrize(("last", "filled"), [("e", ()), ("", ("b/kernel",))], ids=["trunk", "head"])
def test_of_weights_alone_the_last_one_may_be_a_head(
    tmp_path: Path, last: str, filled: tuple[str, ...]
) -> None:
    shapes = {"a": ((3, 3, 3, 8), (8,)), "c": ((3, 3, 8, 8), (8,)), "b": ((1, 1, 8, 10), (10,))}
    if last:
        shapes[last] = ((3, 3, 10, 12), (12,))
    groups = {
        name: {f"{name}/kernel:0": numbers(*kernel), f"{name}/bias:0": numbers(*bias)}
        for name, (kernel, bias) in shapes.items()
    }
    assert source_of_head(tmp_path, write_legacy(tmp_path / "w.h5", groups), target()) == filled
