"""Targets that store a weight in parts: parts come from such parts, and never from a whole weight."""

from itertools import product
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import weightbridge as wb

RANDOM = np.random.default_rng(0)
REST = {"a.bias": (8,), "b.weight": (3, 8), "b.bias": (3,)}


def floats(*shape: int) -> np.ndarray:
    return np.abs(RANDOM.normal(size=shape)).astype("f4") + np.float32(0.1)


def codes(*shape: int) -> np.ndarray:
    return RANDOM.integers(-127, 127, shape).astype("i1")


# the parts of `a.weight`, the first of which is the one that a weight could be taken for
PARTS = {
    "weight norm": {"a.weight_v": floats(8, 4), "a.weight_g": floats(8, 1)},
    "spectral norm": {"a.weight_orig": floats(8, 4), "a.weight_u": floats(8), "a.weight_v": floats(4)},
    "pruning": {"a.weight_orig": floats(8, 4), "a.weight_mask": np.ones((8, 4), "f4")},
    "int8": {"a.weight": codes(8, 4), "a.SCB": floats(8)},
    "int8 by rows": {"a.weight": codes(8, 4), "a.weight_scale": floats(8, 1)},
    "float8": {
        "a.weight": floats(8, 4).astype(ml_dtypes.float8_e4m3fn),
        "a.weight_scale_inv": floats(1, 1),
    },
    "plain": {"a.weight": floats(8, 4)},
}


def file_of(folder: Path, kind: str, name: str) -> Path:
    path = folder / f"{name}.safetensors"
    save_file(PARTS[kind] | {key: floats(*shape) for key, shape in REST.items()}, path)
    return path


@pytest.mark.parametrize("kind", PARTS)
def test_the_same_parts_are_copied_as_they_are(tmp_path: Path, kind: str) -> None:
    report = wb.check(file_of(tmp_path, kind, "s"), file_of(tmp_path, kind, "t"))
    assert report.exit_code == 0
    assert {step.transform for step in report.plan.steps} == {""}


@pytest.mark.parametrize(("before", "after"), [pair for pair in product(PARTS, PARTS) if len({*pair}) == 2])
def test_nothing_else_becomes_a_part(tmp_path: Path, before: str, after: str) -> None:
    """Whatever is declared, and mapped onto the part that looks like a weight."""
    if after == "plain":
        return
    first, *others = PARTS[after]
    given = next(iter(PARTS[before]))
    report = wb.transfer(
        file_of(tmp_path, before, "s"),
        file_of(tmp_path, after, "t"),
        output=tmp_path / "o.safetensors",
        map={given: first} if given != first else {},
        fresh=others,
        unused=list(PARTS[before])[1:],
        on_fail="return",
    )
    assert report.exit_code == 1
    assert not (tmp_path / "o.safetensors").exists()
    assert {"WB109", "WB201", "WB202", "WB208"} & {f.code for f in report.findings if f.severity == "error"}
