"""`--adapt same`: what differs inside one architecture is adapted, another architecture is WB309.

What coverage counts, and what is no transfer at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, source
from network_files import Config, conv, dense, residual, wired, write
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.plan import Plan, Step
from weightbridge.report.coverage import coverage


def checked(folder: Path, before: Config, after: Config, **options: Any) -> wb.Report:
    return wb.check(write(folder, "source", before), write(folder, "target", after), **options)


def plan_of(report: wb.Report) -> Plan:
    assert report.plan is not None
    return report.plan


def steps_of(report: wb.Report) -> dict[str, Step]:
    return {step.target: step for step in plan_of(report).steps}


def codes(report: wb.Report) -> set[str]:
    return {found.code for found in report.findings} - {"WB105"}  # a JSON has no weights


def encoder(blocks: int, width: int = 8) -> Config:
    layers = [source("words", [6]), layer("Embedding", "table", input_dim=20, output_dim=width)]
    for n in range(blocks):
        layers += [dense(f"up{n}", 3 * width, activation="relu"), dense(f"down{n}", width)]
    return wired(*layers, layer("GlobalAveragePooling1D", "pool"), dense("classes", 4))


def pyramid(width: int = 4, stages: int = 3) -> Config:
    """Convolutions whose grid is halved at every stage."""
    layers = [source("image", [32, 32, 3])]
    for n in range(stages):
        layers += [conv(f"s{n}_a", width * (n + 1)), conv(f"s{n}_b", width * (n + 1), strides=[2, 2])]
        layers += [layer("BatchNormalization", f"s{n}_norm"), conv(f"s{n}_c", width * (n + 1), 1)]
    return wired(*layers, layer("GlobalAveragePooling2D", "pool"), dense("head", 7))


OTHERS = {
    "convolutions-to-words": (residual(), encoder(2)),
    "words-to-convolutions": (encoder(3), pyramid()),
    "two-of-convolutions": (pyramid(), residual(blocks=4)),
}


@pytest.mark.parametrize(("before", "after"), OTHERS.values(), ids=OTHERS.keys())
def test_another_architecture_is_an_error(tmp_path: Path, before: Config, after: Config) -> None:
    report = checked(tmp_path, before, after)
    assert "WB309" in codes(report)
    assert codes(report).isdisjoint({"WB201", "WB202", "WB203", "WB302", "WB403"}), "one fact, one finding"
    assert {step.kind for step in plan_of(report).steps} <= {"copy", "transform", "fresh"}
    assert report.exit_code in (1, 3)


@pytest.mark.parametrize(("before", "after"), OTHERS.values(), ids=OTHERS.keys())
def test_the_way_out_that_is_named_changes_the_plan(tmp_path: Path, before: Config, after: Config) -> None:
    (found,) = (f for f in checked(tmp_path, before, after).findings if f.code == "WB309")
    asked = checked(tmp_path, before, after, adapt="weights")
    assert "WB309" not in codes(asked)
    adapted = any(step.kind == "adapt" for step in plan_of(asked).steps)
    assert ("--adapt weights" in found.fix) == adapted


ONE = {
    "wider": (residual(8), residual(12)),
    "deeper": (residual(blocks=1), residual(blocks=6)),
    "shallower": (residual(blocks=6), residual(blocks=1)),
    "other-kernels-and-classes": (residual(taps=3), residual(taps=5, classes=3)),
    "other-channels": (residual(channels=3), residual(channels=1)),
    "wider-words": (encoder(2), encoder(2, 12)),
    "same": (pyramid(), pyramid()),
}


@pytest.mark.parametrize(("before", "after"), ONE.values(), ids=ONE.keys())
def test_one_architecture_is_adapted(tmp_path: Path, before: Config, after: Config) -> None:
    assert "WB309" not in codes(checked(tmp_path, before, after))


def test_coverage_is_what_arrived_exactly(tmp_path: Path) -> None:
    report = checked(tmp_path, residual(8), residual(8, taps=5), min_coverage=0.9)
    covered = coverage(plan_of(report))
    assert covered.adapted == 0 < covered.transformed  # a kernel that is padded keeps its function
    narrower = checked(tmp_path, residual(16), residual(12), min_coverage=0.5)
    assert coverage(plan_of(narrower)).adapted > coverage(plan_of(narrower)).exact
    assert "WB207" in codes(narrower)


def test_what_fills_an_added_block_is_fresh(tmp_path: Path) -> None:
    report = checked(tmp_path, residual(blocks=1), residual(blocks=2))
    added = {name: step for name, step in steps_of(report).items() if name.startswith("block1_b_bn")}
    assert {step.kind for step in added.values() if not step.sources} == {"fresh"}
    assert added["block1_b_bn/gamma"].parameters == {"value": 0.0}
    assert coverage(plan_of(report)).fraction < 1.0


def test_an_added_block_without_a_sibling_is_zero_in_its_closing_layer_alone(tmp_path: Path) -> None:
    def net(blocks: int) -> Config:
        layers = [source("x", [9]), dense("stem", 8, activation="relu")]
        fed = {}
        for n in range(blocks):
            layers += [dense(f"up{n}", 5 + n, activation="relu"), dense(f"down{n}", 8)]
            layers += [layer("Add", f"add{n}"), layer("ReLU", f"out{n}")]
            fed[f"add{n}"] = (f"down{n}", f"out{n - 1}" if n else "stem")
        return wired(*layers, dense("head", 3), **fed)

    steps = steps_of(checked(tmp_path, net(1), net(2)))
    assert (steps["up1/kernel"].kind, steps["up1/kernel"].transform) == ("fresh", "")
    assert steps["down1/kernel"].parameters == {"value": 0.0}
    assert {s.contract for s in steps.values()} <= {"bitwise", "preserving"}


@pytest.mark.parametrize("fail_on", ["error", "never"])
def test_a_transfer_that_uses_nothing_is_vacuous(tmp_path: Path, fail_on: str) -> None:
    report = checked(tmp_path, residual(), encoder(1), fresh="*", unused="*", fail_on=fail_on)
    only = [found for found in report.findings if found.code != "WB105"]
    assert [found.code for found in only] == ["WB207"]
    assert report.exit_code in ((3,) if fail_on == "never" else (1, 3))  # a JSON has no weights: WB105


def state(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    arrays = {name: np.ones(shape, "f4") for name, shape in shapes.items()}
    return zip_file(folder / "source.pth", *held(arrays))


def linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def mlp(*widths: int) -> Config:
    return wired(source("x", [4]), *(dense(f"dense_{n}", width) for n, width in enumerate(widths)))


SIZES = {
    "one layer": (linear("fc", 4, 8), mlp(12)),
    "a few layers": (linear("a", 4, 8) | linear("b", 8, 3), mlp(12, 3)),
    "many layers": (
        {k: v for n in range(6) for k, v in linear(f"body.{n}", 8 if n else 4, 8).items()},
        mlp(*[12] * 6),
    ),
    "one more": (
        {k: v for n in range(6) for k, v in linear(f"body.{n}", 8 if n else 4, 8).items()},
        mlp(*[12] * 7),
    ),
}


@pytest.mark.parametrize(("shapes", "after"), SIZES.values(), ids=SIZES)
def test_a_checkpoint_of_another_width_is_no_other_architecture(
    tmp_path: Path, shapes: Mapping[str, tuple[int, ...]], after: Config
) -> None:
    report = wb.check(state(tmp_path, shapes), write(tmp_path, "target", after))
    assert "WB309" not in codes(report)
    assert not codes(report).isdisjoint({"WB201", "WB202"})


def test_a_checkpoint_of_other_layers_is_another_architecture(tmp_path: Path) -> None:
    shapes = {f"c{n}.weight": (8, 8, 3, 3) for n in range(6)} | linear("out", 8, 3)
    report = wb.check(state(tmp_path, shapes), write(tmp_path, "target", mlp(12, 12, 12, 12)))
    assert codes(report) <= {"WB207", "WB309"}, "one fact, one finding"


def test_a_head_of_other_classes_is_said_once(tmp_path: Path) -> None:
    report = checked(tmp_path, *OTHERS["two-of-convolutions"], adapt="weights")
    said = {found.code for found in report.findings if (found.target or "").startswith("head")}
    assert said == {"WB303"}


@pytest.mark.parametrize(("hidden", "leaving"), [(8, 6), (16, 4)])
def test_outputs_of_another_width_are_not_kept(tmp_path: Path, hidden: int, leaving: int) -> None:
    """Features that leave in other numbers are another output; a wider layer inside keeps the function."""

    def net(inner: int, outer: int) -> Config:
        layers = (source("in", [10]), dense("inner", inner, activation="relu"))
        return wired(*layers, dense("outer", outer, activation="relu"))

    report = checked(tmp_path, net(8, 4), net(hidden, leaving))
    contracts = {step.contract for step in steps_of(report).values() if step.kind != "copy"}
    assert contracts == ({"lossy"} if leaving != 4 else {"preserving"})
    assert ("WB302" in codes(report)) == (leaving != 4)
