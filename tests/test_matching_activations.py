"""An activation of its own on one side, a neighbour's attribute on the other: no WB403 where both are the
same.
"""

from pathlib import Path

import pytest
from keras_files import layer, source
from network_files import Config, conv, wired, write

import weightbridge as wb


def own(activation: str) -> Config:
    return layer("Activation", f"own_{activation}", activation=activation)


def net(*between: Config, activation: str = "linear") -> Config:
    first = conv("first", 4, activation=activation, use_bias=True)
    return wired(source("x", [8, 8, 3]), first, *between, conv("last", 2, 1))


CROP = layer("Cropping2D", "crop", cropping=[[1, 0], [1, 0]])
NORM = layer("GroupNormalization", "norm", groups=2)
UNKNOWN = layer("Mystery", "mystery", module="mine")


def said(folder: Path, before: Config, after: Config) -> list[str]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after))
    return [
        found.message for found in report.findings if found.code == "WB403" and found.about == "activation"
    ]


SAME = {
    "behind-cropping": (net(CROP, activation="gelu"), net(CROP, own("gelu"))),
    "behind-a-group-norm": (net(NORM, own("relu")), net(NORM, own("relu"))),
    "behind-an-unknown-layer": (net(UNKNOWN, activation="relu"), net(UNKNOWN, own("relu"))),
    "right-behind": (net(activation="swish"), net(own("swish"))),
}


@pytest.mark.parametrize(("before", "after"), SAME.values(), ids=SAME.keys())
@pytest.mark.parametrize("is_turned", [False, True], ids=["there", "back"])
def test_the_same_function_is_no_finding(
    tmp_path: Path, before: Config, after: Config, is_turned: bool
) -> None:
    pair = (after, before) if is_turned else (before, after)
    assert said(tmp_path, *pair) == []


OTHER = {
    "another-one-behind-cropping": (net(CROP, activation="gelu"), net(CROP, own("relu"))),
    "none-at-all": (net(CROP, activation="gelu"), net(CROP)),
    "before-a-group-norm": (net(NORM, activation="relu"), net(NORM, own("relu"))),
}


@pytest.mark.parametrize(("before", "after"), OTHER.values(), ids=OTHER.keys())
def test_another_function_is_said(tmp_path: Path, before: Config, after: Config) -> None:
    assert said(tmp_path, before, after)
