"""Other input channels behind layers that scale each channel: the statistics follow the stem."""

from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, source
from network_files import Config, conv, dense, wired, write

import weightbridge as wb
from weightbridge.plan import Step

NORMALIZATION = layer("Normalization", "norm", axis=[-1])
BATCH_NORM = layer("BatchNormalization", "norm")
RESCALING = layer("Rescaling", "norm", scale=0.5, offset=-1.0)
APART = layer("Rescaling", "norm", scale=[0.5, 0.4, 0.3], offset=0.0)


def net(channels: int, before: Config) -> Config:
    layers = [source("x", [16, 16, channels]), before, conv("stem", 6), conv("top", 6, 1)]
    return wired(*layers, layer("GlobalAveragePooling2D", "pool"), dense("head", 4))


def checked(folder: Path, before: Config, after: Config) -> tuple[str, dict[str, Step], set[str]]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after))
    assert report.plan is not None
    said = " ".join(found.message for found in report.findings if found.code == "WB304")
    return said, {s.target: s for s in report.plan.steps}, {found.code for found in report.findings}


@pytest.mark.parametrize("norm", [NORMALIZATION, BATCH_NORM], ids=["normalization", "batch-norm"])
@pytest.mark.parametrize(
    ("channels", "rule", "word"), [(1, "mean", "averaged"), (4, "cycle", "repeated")], ids=["grey", "depth"]
)
def test_statistics_follow_the_stem(
    tmp_path: Path, norm: Config, channels: int, rule: str, word: str
) -> None:
    said, steps, codes = checked(tmp_path, net(3, norm), net(channels, norm))
    rules = {
        step.parameters["axes"]["0"]["rule"]
        for name, step in steps.items()
        if name.startswith("norm/") and step.sources and step.parameters
    }
    assert rules == {rule}
    assert f"the statistics of norm are {word}" in said
    assert "WB201" not in codes


SAID: dict[str, tuple[Any, bool]] = {
    "normalization": (NORMALIZATION, False),
    "apart": (APART, False),
    "alike": (RESCALING, True),
}


@pytest.mark.parametrize(("norm", "is_exact"), SAID.values(), ids=SAID.keys())
def test_a_sum_is_exact_where_all_channels_are_scaled_alike(
    tmp_path: Path, norm: Config, is_exact: bool
) -> None:
    after = RESCALING if norm is APART else norm
    said, _, _ = checked(tmp_path, net(3, norm), net(1, after))
    assert ("exact" in said) == is_exact
    assert ("approximation" in said) == (not is_exact)


def test_the_same_channels_change_nothing(tmp_path: Path) -> None:
    said, steps, _ = checked(tmp_path, net(3, NORMALIZATION), net(3, NORMALIZATION))
    assert said == ""
    assert {step.contract for step in steps.values()} == {"bitwise"}
