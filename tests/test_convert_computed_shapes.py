"""convert from ONNX to Keras: a Reshape to lengths that are computed from a value's own shape."""

from pathlib import Path

import numpy as np
import pytest
from onnx_samples import Op, saved
from test_convert import run

SHAPES = {"fixed steps": ["n", 5, 4], "open steps": ["n", "t", 4], "all open": ["n", "t", "f"]}
LENGTHS = [
    ("Shape", ["x"], ["shape"], {}),
    *(("Gather", ["shape", f"at_{n}"], [f"length_{n}"], {"axis": 0}) for n in range(3)),
]
INDICES = {**{f"at_{n}": np.array([n]) for n in range(3)}, "rest": np.array([-1])}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["1 0 2", "1 0 rest", "2 0 1", "1 rest", "2 1 0"])
def test_a_batch_that_changes_its_place_is_refused(order: str, shape: str, tmp_path: Path) -> None:
    assert _converted(tmp_path, order, SHAPES[shape]) == 4
    assert not (tmp_path / "m.keras").exists()


@pytest.mark.parametrize(
    ("order", "shape", "code"),
    [
        ("0 1 2", "all open", 0),
        ("0 1 2", "open steps", 0),
        ("0 rest", "open steps", 0),
        ("0 2 1", "open steps", 0),
        ("0 2 1", "all open", 4),
    ],
)
def test_a_batch_that_stays_is_kept(order: str, shape: str, code: int, tmp_path: Path) -> None:
    assert _converted(tmp_path, order, SHAPES[shape]) == code


def _converted(folder: Path, order: str, shape: list[str | int]) -> int:
    places = [place if place == "rest" else f"length_{place}" for place in order.split()]
    nodes: list[Op] = [
        *LENGTHS,
        ("Concat", places, ["wanted"], {"axis": 0}),
        ("Reshape", ["x", "wanted"], ["cut"], {}),
        ("Tanh", ["cut"], ["y"], {}),
    ]
    saved(folder / "m.onnx", nodes, INDICES, {"x": shape}, ("y",))
    return run(str(folder / "m.onnx"), str(folder / "m.keras"), "--no-verify", "--quiet")
