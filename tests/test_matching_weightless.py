"""What has no weights and computes something else.

Layers between matched ones, merges, and what only training knows.
"""

from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, numbers, source, write_legacy
from network_files import Config, conv, dense, wired, write

import weightbridge as wb

CODES = {"WB403", "WB407", "WB408"}


def between(*layers: Config) -> Config:
    return wired(
        source("x", [8, 8, 3]),
        conv("first", 4),
        *layers,
        conv("second", 4),
        layer("GlobalAveragePooling2D", "all"),
        dense("head", 2),
    )


def before(*layers: Config) -> Config:
    return wired(source("x", [8, 8, 3]), *layers, conv("first", 4))


def merged(class_name: str, *inputs: str, **options: Any) -> Config:
    joins = layer(class_name, "join", **options)
    return wired(
        source("x", [8]),
        dense("left", 6),
        dense("right", 6),
        joins,
        dense("head", 2),
        left=("x",),
        right=("x",),
        join=inputs,
    )


def said(folder: Path, one: Config, other: Config) -> list[tuple[str, str]]:
    report = wb.check(write(folder, "source", one), write(folder, "target", other))
    return [(f.code, f.target) for f in report.findings if f.code in CODES]


def pool(kind: str, size: int = 2, **options: Any) -> Config:
    return layer(
        f"{kind}Pooling2D", "pool", pool_size=[size, size], strides=[size, size], padding="valid", **options
    )


CUT, OTHER_CUT = ([[1, 0], [1, 0]], [[0, 1], [0, 1]])
DIFFERENT = {
    "crop": (
        between(layer("Cropping2D", "cut", cropping=CUT)),
        between(layer("Cropping2D", "cut", cropping=OTHER_CUT)),
        "WB403",
        "cut",
    ),
    "upsampling": (
        between(layer("UpSampling2D", "up", size=[2, 2], interpolation="nearest")),
        between(layer("UpSampling2D", "up", size=[2, 2], interpolation="bilinear")),
        "WB403",
        "up",
    ),
    "kind of pool": (between(pool("Max")), between(pool("Average")), "WB403", "pool"),
    "turned": (
        between(layer("Permute", "turn", dims=[1, 2, 3])),
        between(layer("Permute", "turn", dims=[2, 1, 3])),
        "WB403",
        "turn",
    ),
    "one more layer": (between(), between(pool("Max")), "WB403", "second"),
    "dropout rate": (
        between(layer("Dropout", "drop", rate=0.1)),
        between(layer("Dropout", "drop", rate=0.5)),
        "WB407",
        "drop",
    ),
    "dropout on one side": (between(layer("Dropout", "drop", rate=0.1)), between(), "WB407", "second"),
    "range of the inputs": (
        before(layer("Rescaling", "range", scale=0.1, offset=0.0)),
        before(layer("Rescaling", "range", scale=0.2, offset=0.0)),
        "WB408",
        "range",
    ),
    "range on one side": (
        before(layer("Rescaling", "range", scale=0.1, offset=0.0)),
        before(),
        "WB408",
        "first",
    ),
    "merge": (merged("Add", "left", "right"), merged("Multiply", "left", "right"), "WB403", "join"),
    "order of a difference": (
        merged("Subtract", "left", "right"),
        merged("Subtract", "right", "left"),
        "WB403",
        "join",
    ),
}
ALIKE = {
    "equal": (between(pool("Max")), between(pool("Max"))),
    "views": (between(), between(layer("Reshape", "view", target_shape=[8, 8, 4]))),
    "an activation as a layer": (
        wired(source("x", [8, 8, 3]), conv("first", 4, activation="relu"), conv("second", 4)),
        wired(source("x", [8, 8, 3]), conv("first", 4), layer("ReLU", "act"), conv("second", 4)),
    ),
    "padding as a layer": (
        wired(source("x", [8, 8, 3]), conv("first", 4)),
        wired(
            source("x", [8, 8, 3]),
            layer("ZeroPadding2D", "pad", padding=[[1, 1], [1, 1]]),
            conv("first", 4, padding="valid"),
        ),
    ),
    "another order": (between(pool("Max"), layer("ReLU", "act")), between(layer("ReLU", "act"), pool("Max"))),
    "dropout of nothing": (between(layer("Dropout", "drop", rate=0.0)), between()),
    "order of a sum": (merged("Add", "left", "right"), merged("Add", "right", "left")),
    "an unknown activation": (between(layer("ReLU", "act")), between(layer("Mine", "act", module="mine"))),
    "unknown": (between(layer("Mine", "mine", module="mine")), between()),
}


@pytest.mark.parametrize(("one", "other", "code", "place"), DIFFERENT.values(), ids=DIFFERENT)
def test_another_function_is_said(tmp_path: Path, one: Config, other: Config, code: str, place: str) -> None:
    assert said(tmp_path, one, other) == [(code, place)]


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
def test_the_same_function_is_not(tmp_path: Path, one: Config, other: Config) -> None:
    assert said(tmp_path, one, other) == []


def test_an_activation_of_its_own_is_named_and_said_once(tmp_path: Path) -> None:
    def normed(activation: str) -> Config:
        return between(layer("BatchNormalization", "norm"), layer("Activation", "act", activation=activation))

    report = wb.check(write(tmp_path, "source", normed("relu")), write(tmp_path, "target", normed("gelu")))
    found = [f for f in report.findings if f.code == "WB403"]
    assert [f.target for f in found] == ["first"]
    assert "(act)" in found[0].message


def test_steps_of_a_recurrent_layer_are_compared(tmp_path: Path) -> None:
    def recurrent(steps: bool) -> Config:
        return wired(
            source("x", [5, 3]), layer("LSTM", "rec", units=4, return_sequences=steps), dense("head", 2)
        )

    assert said(tmp_path, recurrent(True), recurrent(False)) == [("WB403", "rec")]


def test_a_norm_of_an_unknown_class_goes_in_by_roles(tmp_path: Path) -> None:
    """It is no chain of affine nodes that an exporter left of a BatchNorm."""
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    config = wired(source("x", [3]), layer("Mine", "norm", module="mine"))
    given = write_legacy(
        tmp_path / "s.h5", {"norm": {f"norm/{r}:0": numbers(3, seed=i) for i, r in enumerate(roles)}}, config
    )
    report = wb.check(
        given, write(tmp_path, "target", wired(source("x", [3]), layer("BatchNormalization", "norm")))
    )
    assert report.plan is not None
    assert [(s.sources, s.transform) for s in report.plan.steps] == [
        ((f"norm/{role}",), "") for role in roles
    ]
