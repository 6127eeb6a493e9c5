"""Folding: rows are one where their counters run in step, and braces stand for exactly those rows."""

import pytest

from weightbridge.boundary.globs import glob
from weightbridge.report.digest.folding import Row, fold


def folded(*rows: tuple[str, ...]) -> list[tuple[tuple[str, ...], int]]:
    return [(one.names, one.count) for one in fold([Row(names) for names in rows])]


@pytest.mark.parametrize(
    ("given", "patterns"),
    [
        (["a/kernel"], [("a/kernel", 1)]),
        (["c1/k", "c2/k", "c3/k"], [("c{1..3}/k", 3)]),
        (["c1/k", "c2/k", "c3/k", "c7/k"], [("c{1..3}/k", 3), ("c7/k", 1)]),
        (["c9/k", "c10/k"], [("c{9..10}/k", 2)]),
        (["c08/k", "c09/k", "c10/k"], [("c{08..10}/k", 3)]),
        (["c9/k", "c010/k"], [("c9/k", 1), ("c010/k", 1)]),
        (["c2/k", "c1/k"], [("c2/k", 1), ("c1/k", 1)]),
        (["bn/gamma", "bn/beta"], [("bn/gamma", 1), ("bn/beta", 1)]),
        (["s1_b1", "s1_b2", "s2_b1", "s2_b2"], [("s1_b{1..2}", 2), ("s2_b{1..2}", 2)]),
        (["s1_b1", "s2_b2"], [("s1_b1", 1), ("s2_b2", 1)]),
        (["s1_b1", "s1_b2", "s2_b2"], [("s1_b{1..2}", 2), ("s2_b2", 1)]),
        (["a1/k", "a1/b", "a2/k", "a2/b"], [("a{1..2}/k", 2), ("a{1..2}/b", 2)]),
        (["a1", "a1"], [("a1", 1), ("a1", 1)]),
        (["²/a", "³/a"], [("²/a", 1), ("³/a", 1)]),
        ([], []),
    ],
)
def test_names(given: list[str], patterns: list[tuple[str, int]]) -> None:
    assert [(names[0], count) for names, count in folded(*((name,) for name in given))] == patterns


def test_two_names_run_in_step_or_not_at_all() -> None:
    rows = [(f"dec_{i}/q", f"layers.{i + 4}.q") for i in range(3)]
    assert folded(*rows) == [(("dec_{0..2}/q", "layers.{4..6}.q"), 3)]
    assert len(folded(("a0", "b0"), ("a1", "b2"))) == 2
    assert folded(("a0", "b"), ("a1", "b")) == [(("a{0..1}", "b"), 2)]


def test_a_detail_that_differs_keeps_rows_apart() -> None:
    assert len(fold([Row(("a0",), "copied"), Row(("a1",), "adapted")])) == 2


def test_the_braces_are_those_of_the_options() -> None:
    (one,) = fold([Row((f"block{i}/kernel",)) for i in range(8, 12)])
    names = [f"block{i}/kernel" for i in range(20)]
    assert [name for name in names if glob(one.names[0]).meets(name)] == names[8:12]
