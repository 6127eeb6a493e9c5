"""--map: over tensors as well as layers, in any layout, and never passed over in silence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import layer, source
from network_files import conv, dense, wired, write
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.errors import UsageError
from weightbridge.plan import Step
from weightbridge.plan.file import dumps


def state(folder: Path) -> Path:
    """Two square layers that nothing tells apart, and one of another size."""
    arrays = {
        f"{name}.{part}": np.ones(shape, "f4")
        for name, out in (("p", 4), ("q", 4), ("r", 2))
        for part, shape in parts(out)
    }
    return zip_file(folder / "source.pth", *held(arrays))


def parts(out: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return ("weight", (out, 4)), ("bias", (out,))


def target(folder: Path) -> Path:
    return write(
        folder, "target", wired(source("x", [4]), dense("one", 4), dense("two", 4), dense("three", 2))
    )


def steps(folder: Path, **given: str) -> dict[str, Step]:
    report = wb.check(state(folder), target(folder), map={k.replace("_", "."): v for k, v in given.items()})
    assert report.plan is not None
    return {step.target: step for step in report.plan.steps}


def test_a_square_kernel_is_turned_and_its_bias_follows(tmp_path: Path) -> None:
    found = steps(tmp_path, p_weight="two/kernel")
    assert (found["two/kernel"].sources, found["two/kernel"].transform) == (("p.weight",), "o i -> i o")
    assert found["two/bias"].sources == ("p.bias",)
    assert found["one/kernel"].sources == ("q.weight",)
    assert found["two/kernel"].evidence == ("map",)


def test_a_layer_spread_over_two_is_taken_by_its_tensors(tmp_path: Path) -> None:
    found = steps(tmp_path, p_weight="two/kernel", p_bias="one/bias")
    assert (found["two/kernel"].sources, found["two/kernel"].transform) == (("p.weight",), "o i -> i o")
    assert found["one/bias"].sources == ("p.bias",)


def test_a_tensor_that_does_not_fit_is_refused_with_those_that_it_fits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"r\.weight has the shape \(2, 4\).*of its size: three/kernel"):
        wb.check(state(tmp_path), target(tmp_path), map={"r.weight": "one/kernel"}, adapt="none")


def test_a_layer_of_which_a_part_does_not_fit_is_said(tmp_path: Path) -> None:
    report = wb.check(state(tmp_path), target(tmp_path), map={"r": "one"}, adapt="none")
    assert {(f.source, f.target) for f in report.findings if f.code == "WB201"} == {
        ("r.weight", "one/kernel"),
        ("r.bias", "one/bias"),
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"fresh": "tow/*"}, "--fresh tow/.*the target has no 'tow/.*near it: two", id="fresh"),
        pytest.param({"unused": "s*"}, "--unused s.*the source has no 's", id="unused"),
        pytest.param({"unused": ["q.*", "zz"]}, "--unused zz: the source has no 'zz'", id="one of two"),
        pytest.param({"unused": "{p,q}{.weight,.bias}"}, r"p\.\w+ is not left over", id="unused, and used"),
        pytest.param(
            {"map": {"p": "two"}, "fresh": "two"}, "cannot be fresh .--fresh. and filled", id="both"
        ),
        pytest.param({"map": {"p{1..2}": "two"}}, "the source has no 'p{1..2}'", id="braces"),
    ],
)
def test_a_glob_of_nothing_is_refused(tmp_path: Path, options: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        wb.check(state(tmp_path), target(tmp_path), **options)


def test_globs_are_written_as_reports_print_them(tmp_path: Path) -> None:
    report = wb.check(
        state(tmp_path),
        target(tmp_path),
        map={"{p,q}.{weight,bias}": "{two,one}/{kernel,bias}"},
        fresh="th?ee/{kernel,bias}",
        unused="[r-s].*",
    )
    assert report.plan is not None
    assert {s.target: s.sources for s in report.plan.steps} == {
        "one/kernel": ("q.weight",),
        "one/bias": ("q.bias",),
        "two/kernel": ("p.weight",),
        "two/bias": ("p.bias",),
        "three/kernel": (),
        "three/bias": (),
    }
    assert {u.source for u in report.plan.unused if u.reason == "declared"} == {"r.weight", "r.bias"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param({"p.wieght": "two/kernel"}, "source has no 'p.wieght'; near it: p.weight", id="source"),
        pytest.param(
            {"p.weight": "tow/kernel"}, "target has no 'tow/kernel'; near it: two/kernel", id="target"
        ),
        pytest.param({"p.wei*": "two/wei*"}, "target has no 'two/weight'", id="other names of parts"),
    ],
)
def test_a_map_of_nothing_is_refused(tmp_path: Path, given: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        wb.check(state(tmp_path), target(tmp_path), map=given)


def vgg(folder: Path) -> Path:
    layers = [source("y", [32, 32, 3])]
    for n, width in enumerate((8, 12, 16, 18)):
        layers += [conv(f"c{n}", width, use_bias=True), conv(f"d{n}", width, use_bias=True, strides=[2, 2])]
    pool = layer("GlobalAveragePooling2D", "pool")
    return write(folder, "vgg", wired(*layers, conv("e", 20, 1, use_bias=True), pool, dense("out", 7)))


def strided(folder: Path) -> Path:
    """Norms behind each convolution, other widths, depths and kernels."""
    layers = [source("x", [32, 32, 3])]
    for n, width in enumerate((10, 24, 32)):
        for part, stride in (("p", 2), ("q", 1), ("r", 1)):
            layers.append(conv(f"{part}{n}", width, 5 if part == "p" else 3, strides=[stride, stride]))
            layers += [layer("BatchNormalization", f"{part}{n}_bn"), layer("ReLU", f"{part}{n}_relu")]
    return write(folder, "strided", wired(*layers, layer("GlobalAveragePooling2D", "pool"), dense("top", 5)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"c2": "q0"}, {"q0/kernel": "c2/kernel"}, id="layer"),
        pytest.param({"d0/kernel": "r1/kernel"}, {"r1/kernel": "d0/kernel"}, id="tensor"),
        pytest.param({"{c0,e}": "{r1,p0}"}, {"r1/kernel": "c0/kernel", "p0/kernel": "e/kernel"}, id="braces"),
        pytest.param({"e": "p0", "c0/kernel": "q1/kernel"}, {"p0/kernel": "e/kernel"}, id="the stem"),
    ],
)
def test_a_map_between_architectures_is_carried_out(
    tmp_path: Path, given: dict[str, str], expected: dict[str, str]
) -> None:
    report = wb.check(vgg(tmp_path), strided(tmp_path), map=given, adapt="weights")
    assert report.plan is not None
    assert "stage" in {word for step in report.plan.steps for word in step.evidence}
    taken = {step.target: step.sources for step in report.plan.steps}
    assert {target: taken[target] for target in expected} == {t: (s,) for t, s in expected.items()}
    assert all(step.evidence == ("map",) for step in report.plan.steps if step.target in expected)
    for target, filled_from in expected.items():
        norm = target.replace("/kernel", "_bn/moving_mean")
        assert taken[norm][0] == filled_from, "the norm behind it expects what the kernel writes"


def test_what_another_architecture_leaves_over_is_said_once(tmp_path: Path) -> None:
    report = wb.check(vgg(tmp_path), strided(tmp_path), adapt="weights")
    (left,) = [found for found in report.findings if found.code == "WB203"]
    assert "layers" in left.message
    declared = wb.check(tmp_path / "vgg.json", tmp_path / "strided.json", adapt="weights", unused="*")
    assert "WB203" not in {found.code for found in declared.findings}


def test_what_follows_from_an_edited_step_is_worked_out_again(tmp_path: Path) -> None:
    pair = vgg(tmp_path), strided(tmp_path)
    plan = wb.check(*pair, adapt="weights").plan
    assert plan is not None
    kept = wb.check(*pair, plan=plan).plan
    assert kept is not None
    assert dumps(kept) == dumps(plan), "nothing was changed"
    other = next(s for s in plan.steps if s.target == "r1/kernel")
    edited = tuple(
        replace(
            s, sources=("d2/kernel",), parameters={**s.parameters, "axes": {**axes(s), "2": share(16, 24)}}
        )
        if s is other
        else s
        for s in plan.steps
    )
    told = wb.check(*pair, plan=replace(plan, steps=edited)).plan
    assert told is not None
    found = {step.target: step for step in told.steps}
    assert other.sources != ("d2/kernel",)
    assert found["r1_bn/moving_mean"].sources[0] == "d2/kernel"
    assert found["r1_bn/moving_mean"].cost == "worked out again for the steps of this plan"
    assert found["q0_bn/moving_mean"] in kept.steps


def axes(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = step.parameters["axes"]
    return found


def share(before: int, after: int) -> dict[str, Any]:
    return {"rule": "share", "from": [before], "to": [after]}
