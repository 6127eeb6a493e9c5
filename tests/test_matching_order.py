"""Layers inserted or in another order.

Said as what loading by position would do, wrapped layers counted as their wrappers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from keras_files import layer, numbers, sequential, source, write_keras

import weightbridge as wb

WIDTH = 6
STORED = {"Dense": "dense{}", "TimeDistributed": "time_distributed{}/layer"}


def _layer(kind: str, name: str) -> dict[str, Any]:
    dense = layer("Dense", name if kind == "Dense" else f"{name}_inner", units=WIDTH, use_bias=True)
    return dense if kind == "Dense" else layer(kind, name, layer=dense)


def _model(path: Path, kind: str, names: Sequence[str], seed: int) -> Path:
    config = sequential(source("x", [5, WIDTH]), *(_layer(kind, name) for name in names))
    arrays = {
        name: (numbers(WIDTH, WIDTH, seed=seed + n), numbers(WIDTH, seed=seed + n))
        for n, name in enumerate(names)
    }
    places = [f"layers/{STORED[kind].format(f'_{n}' if n else '')}" for n in range(len(names))]
    return write_keras(
        path, config, {place: ("", arrays[name]) for place, name in zip(places, names, strict=True)}
    )


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize(
    ("names", "code", "named"),
    [
        pytest.param(["a", "b"], "", "", id="as-it-was"),
        pytest.param(["a", "b", "new"], "", "", id="appended"),
        pytest.param(["new", "a", "b"], "WB205", "new", id="inserted-first"),
        pytest.param(["a", "new", "b"], "WB205", "new", id="inserted"),
        pytest.param(["b", "a"], "WB210", "a", id="permuted"),
        pytest.param(["b"], "WB205", "a", id="removed"),
    ],
)
def test_order(tmp_path: Path, kind: str, names: Sequence[str], code: str, named: str) -> None:
    report = wb.check(
        _model(tmp_path / "a.keras", kind, ["a", "b"], 1), _model(tmp_path / "b.keras", kind, names, 9)
    )
    said = {f.code: f.message for f in report.findings if f.code in ("WB205", "WB210")}
    assert list(said) == [code] * bool(code)
    assert named in said.get(code, "")
