"""Parallel heads of one shape: weights alone do not tell which is which."""

from pathlib import Path

import pytest
from keras_files import functional, layer, numbers, source, write_keras, write_legacy, write_weights

from weightbridge import api


def dense(name: str, units: int) -> dict:
    return layer("Dense", name, units=units)


def arrays(rows: int, columns: int, seed: int) -> tuple:
    return numbers(rows, columns, seed=seed), numbers(columns, seed=seed)


def target(path: Path, first: str, second: str, *, chained: bool = False) -> Path:
    layers = [source("x", [6]), dense("trunk", 5), dense(first, 5), dense(second, 5)]
    calls = {"trunk": [["x"]], first: [["trunk"]], second: [[first if chained else "trunk"]]}
    outputs = [[second, 0, 0]] if chained else [[first, 0, 0], [second, 0, 0]]
    groups = {
        "layers/dense": ("trunk", arrays(6, 5, 1)),
        "layers/dense_1": (first, arrays(5, 5, 2)),
        "layers/dense_2": (second, arrays(5, 5, 3)),
    }
    return write_keras(path, functional(layers, calls, outputs), groups)


def weights(path: Path, first: str, second: str, *, legacy: bool) -> Path:
    held = {"trunk": arrays(6, 5, 4), first: arrays(5, 5, 5), second: arrays(5, 5, 6)}
    if not legacy:
        groups = {f"layers/dense{f'_{n}' if n else ''}": one for n, one in enumerate(held.items())}
        return write_weights(path, groups)
    named = {n: {f"{n}/kernel:0": a[0], f"{n}/bias:0": a[1]} for n, a in held.items()}
    return write_legacy(path, named, version="2.4.0")


@pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "keras 3"])
@pytest.mark.parametrize(
    ("names", "chained", "asked"),
    [
        (("sex_out", "years_out"), False, True),
        (("age_out", "gender_out"), False, False),
        (("sex_out", "years_out"), True, False),
        (("dense_7", "dense_8"), False, True),
    ],
    ids=["other names", "names agree", "one after the other", "names on one side"],
)
def test_heads_that_nothing_tells_apart_are_asked_about(
    tmp_path: Path, names: tuple[str, str], chained: bool, asked: bool, legacy: bool
) -> None:
    given = weights(tmp_path / ("a.h5" if legacy else "a.weights.h5"), "age", "gender", legacy=legacy)
    report = api.check(given, target(tmp_path / "b.keras", *names, chained=chained))
    assert ("WB204" in [f.code for f in report.findings]) is asked


def test_counters_of_both_sides_are_trusted(tmp_path: Path) -> None:
    given = weights(tmp_path / "a.h5", "dense_1", "dense_2", legacy=True)
    report = api.check(given, target(tmp_path / "b.keras", "dense_4", "dense_5"))
    assert "WB204" not in [f.code for f in report.findings]
