"""--map: over tensors as well as layers, in any layout, and never passed over in silence."""

from pathlib import Path

import numpy as np
import pytest
from keras_files import source
from network_files import dense, wired, write
from torch_files import held, zip_file

import weightbridge as wb
from weightbridge.errors import UsageError
from weightbridge.plan import Step


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


def test_a_tensor_that_does_not_fit_is_said(tmp_path: Path) -> None:
    report = wb.check(state(tmp_path), target(tmp_path), map={"r.weight": "one/kernel"}, adapt="none")
    assert {(f.source, f.target) for f in report.findings if f.code == "WB201"} == {
        ("r.weight", "one/kernel"),
        ("r.bias", "one/bias"),
    }


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
