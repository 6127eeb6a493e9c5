"""A dense layer behind a flattened map of another grid: channels stay channels, places are resampled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, conv, dense, wired, write

import weightbridge as wb
from weightbridge.adapters.apply.maps import mapped
from weightbridge.plan import Step

Side = tuple[int, int, int]  # rows, columns, channels of the map that is flattened


def flat(side: Side, units: int = 5, ending: str = "Flatten") -> Config:
    rows, columns, channels = side
    layers = [source("x", [rows, columns, 3]), conv("c1", channels), layer(ending, "flat")]
    return wired(*layers, dense("fc", units, activation="relu"), dense("out", 4))


def checked(folder: Path, before: Config, after: Config) -> tuple[wb.Report, dict[str, Step]]:
    report = wb.check(write(folder, "source", before), write(folder, "target", after))
    assert report.plan is not None
    return report, {step.target: step for step in report.plan.steps}


OTHER = {
    "larger": (flat((4, 4, 6)), flat((6, 6, 6)), [4, 4], [6, 6]),
    "smaller": (flat((6, 6, 6)), flat((3, 3, 6)), [6, 6], [3, 3]),
    "other-aspect": (flat((4, 6, 6)), flat((6, 4, 6)), [4, 6], [6, 4]),
    "as-many-values-of-other-channels": (flat((4, 4, 6)), flat((2, 6, 8)), [4, 4], [2, 6]),
    "to-a-pooled-vector": (flat((4, 4, 6)), flat((4, 4, 6), ending="GlobalAveragePooling2D"), [4, 4], [1, 1]),
    "from-a-pooled-vector": (
        flat((4, 4, 6), ending="GlobalAveragePooling2D"),
        flat((3, 2, 6)),
        [1, 1],
        [3, 2],
    ),
}


@pytest.mark.parametrize(("before", "after", "grid", "wanted"), OTHER.values(), ids=OTHER.keys())
def test_the_grid_is_resampled_and_said(
    tmp_path: Path, before: Config, after: Config, grid: list[int], wanted: list[int]
) -> None:
    report, steps = checked(tmp_path, before, after)
    kernel = steps["fc/kernel"]
    assert (kernel.kind, kernel.contract) == ("adapt", "lossy")
    rule = kernel.parameters["axes"]["0"]
    assert (rule["rule"], list(rule["from"]), list(rule["to"])) == ("grid", grid, wanted)
    assert any(f.code == "WB302" and "places of a flattened map" in f.message for f in report.findings)
    assert "WB309" not in {f.code for f in report.findings}


SAME = {
    "same-grid": (flat((4, 4, 6)), flat((4, 4, 6)), {"bitwise"}),
    "more-channels": (flat((4, 4, 6)), flat((4, 4, 9)), {"bitwise", "preserving"}),
}


@pytest.mark.parametrize(("before", "after", "contracts"), SAME.values(), ids=SAME.keys())
def test_the_same_grid_keeps_its_function(
    tmp_path: Path, before: Config, after: Config, contracts: set[str]
) -> None:
    report, steps = checked(tmp_path, before, after)
    assert {step.contract for step in steps.values()} <= contracts
    assert "WB302" not in {f.code for f in report.findings}


def test_what_stands_between_the_flatten_and_the_dense_layer_is_never_stretched(tmp_path: Path) -> None:
    def net(side: int) -> Config:
        layers = [source("x", [side, side, 3]), conv("c1", 4), layer("Flatten", "flat")]
        return wired(*layers, layer("BatchNormalization", "norm"), dense("fc", 5), dense("out", 4))

    report, steps = checked(tmp_path, net(4), net(6))
    assert {steps[f"norm/{role}"].kind for role in ("gamma", "moving_mean")} == {"fresh"}
    assert steps["fc/kernel"].kind == "fresh"
    assert "WB201" in {f.code for f in report.findings}


ORDERS = [("outer", "outer"), ("inner", "outer"), ("outer", "inner"), ("inner", "inner")]


@pytest.mark.parametrize(("theirs", "ours"), ORDERS)
def test_a_map_that_is_the_same_everywhere_gives_the_same_output(theirs: str, ours: str) -> None:
    """Whatever the order in which either side reads the map out."""
    kernel = np.random.default_rng(1).normal(size=(3 * 2 * 4, 5))
    share = {"rule": "share", "from": (4,), "to": (4,)}
    rule: dict[str, Any] = {"rule": "grid", "from": (3, 2), "to": (5, 4), "channels": share}
    rule |= {"source_order": theirs, "target_order": ours}
    filled, _ = mapped(kernel, 0, rule)
    colour = np.arange(1.0, 5.0)
    before = (np.repeat(colour, 6) if theirs == "inner" else np.tile(colour, 6)) @ kernel
    after = (np.repeat(colour, 20) if ours == "inner" else np.tile(colour, 20)) @ filled
    np.testing.assert_allclose(after, before)


def test_channels_stay_channels() -> None:
    """A kernel that reads one channel alone reads that channel alone on another grid."""
    kernel = np.zeros((2, 2, 3, 1))
    kernel[..., 1, 0] = 1.0
    share = {"rule": "share", "from": (3,), "to": (3,)}
    filled, kept = mapped(
        kernel.reshape(12, 1), 0, {"rule": "grid", "from": (2, 2), "to": (4, 4), "channels": share}
    )
    assert np.count_nonzero(filled.reshape(4, 4, 3)[..., (0, 2)]) == 0
    assert kept == pytest.approx(1.0)
