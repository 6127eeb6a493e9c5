"""Folding: one row for many only where every detail agrees, and its braces stand for exactly those rows."""

import pytest

from weightbridge.report.render.folding import Row, fold


def folded(*rows: tuple[tuple[str, ...], str]) -> list[tuple[tuple[str, ...], int]]:
    return [(one.names, one.count) for one in fold([Row(names, (details,)) for names, details in rows])]


def names(*texts: str) -> list[tuple[tuple[str, ...], str]]:
    return [((text,), "same") for text in texts]


@pytest.mark.parametrize(
    ("given", "patterns"),
    [
        (names("a/kernel"), [("a/kernel", 1)]),
        (names("c1/k", "c2/k", "c3/k"), [("c{1..3}/k", 3)]),
        (names("c1/k", "c2/k"), [("c{1,2}/k", 2)]),
        (names("c1/k", "c2/k", "c3/k", "c7/k"), [("c{1..3,7}/k", 4)]),
        (names("c10/k", "c9/k", "c8/k"), [("c{8..10}/k", 3)]),
        (names("c08/k", "c09/k", "c10/k"), [("c{08,09,10}/k", 3)]),
        (names("bn/gamma", "bn/beta"), [("bn/{gamma,beta}", 2)]),
        (names("s1_b1", "s1_b2", "s2_b1", "s2_b2"), [("s{1,2}_b{1,2}", 4)]),
        (names("s1_b1", "s1_b2", "s2_b1"), [("s1_b{1,2}", 2), ("s2_b1", 1)]),
        (names("s2_b1", "s2_b2", "s3_b1", "s3_b2", "s3_b3", "s4_b1", "s4_b2"),
            [("s{2,4}_b{1,2}", 4), ("s3_b{1..3}", 3)]),
        (names("a1", "a1"), [("a1", 1), ("a1", 1)]),
        (names("dense", "dense_1"), [("dense", 1), ("dense_1", 1)]),
        (names("²/a", "³/a"), [("²/a", 1), ("³/a", 1)]),
        (names("x" + "9" * 5000, "x" + "8" * 5000), [("x" + "9" * 5000, 1), ("x" + "8" * 5000, 1)]),
        ([], []),
    ],
    ids=["one", "range", "two", "gap", "sorted", "padded", "roles", "product", "not-a-product",
        "alike-stages", "twice", "counter",
         "digits", "huge", "none"],
)  # fmt: skip
def test_names(given: list[tuple[tuple[str, ...], str]], patterns: list[tuple[str, int]]) -> None:
    assert folded(*given) == [((pattern,), count) for pattern, count in patterns]


def test_rows_of_other_details_stay_apart() -> None:
    assert folded((("c1",), "a"), (("c2",), "b"), (("c3",), "a")) == [(("c{1,3}",), 2), (("c2",), 1)]


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("a1", "b4"), ("a2", "b5"), ("a3", "b6")], [(("a{1..3}", "b{4..6}"), 3)]),
        ([("a1", "b7"), ("a2", "b2")], [(("a{1,2}", "b{7,2}"), 2)]),
        ([("a1", "b1"), ("a2", "b1")], [(("a{1,2}", "b1"), 2)]),
        (
            [("a1/g", "b1.w"), ("a1/h", "b1.v"), ("a2/g", "b2.w"), ("a2/h", "b2.v")],
            [(("a{1,2}/{g,h}", "b{1,2}.{w,v}"), 4)],
        ),
        (
            [("s1_b1", "c1"), ("s1_b2", "c2"), ("s2_b1", "c3"), ("s2_b2", "c4")],
            [(("s1_b{1,2}", "c{1,2}"), 2), (("s2_b{1,2}", "c{3,4}"), 2)],
        ),
        ([("a1", "b1"), ("a2", "x2")], [(("a1", "b1"), 1), (("a2", "x2"), 1)]),
    ],
    ids=["offset", "permuted", "shared", "two-parts", "counter-over-both", "other-name"],
)
def test_companions_run_in_step(
    pairs: list[tuple[str, str]], expected: list[tuple[tuple[str, ...], int]]
) -> None:
    assert folded(*((pair, "") for pair in pairs)) == expected


def test_every_row_is_in_exactly_one_group() -> None:
    rows = [((f"s{i % 7}_b{i % 5}_c{i}/k", f"x.{i * 3 % 11}.w"), str(i % 2)) for i in range(500)]
    assert sum(count for _, count in folded(*rows)) == 500
