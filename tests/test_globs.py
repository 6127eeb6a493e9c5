"""Globs: what they meet, and which names a map joins."""

import pytest

from weightbridge.boundary.globs import glob, mapped, met
from weightbridge.boundary.shell import typeable
from weightbridge.errors import UsageError


@pytest.mark.parametrize(
    ("text", "meets", "not_"),
    [
        pytest.param(
            "conv*/kernel", ["conv/kernel", "conv1/x/kernel"], ["conv/bias", "aconv/kernel"], id="star"
        ),
        pytest.param("conv?", ["conv1"], ["conv", "conv12"], id="one sign"),
        pytest.param("conv[1-3]", ["conv1", "conv3"], ["conv4", "conv"], id="set"),
        pytest.param("conv[!1-3]", ["conv4"], ["conv1"], id="not in the set"),
        pytest.param("a/{kernel,bias}", ["a/kernel", "a/bias"], ["a/gamma", "a/{kernel,bias}x"], id="list"),
        pytest.param("l{1..3}.w", ["l1.w", "l3.w"], ["l0.w", "l4.w", "l12.w"], id="counter"),
        pytest.param("l{8..10}", ["l8", "l10"], ["l08"], id="counter over ten"),
        pytest.param("l{08..10}", ["l08", "l10"], ["l8"], id="padded counter"),
        pytest.param("l{3..1}", ["l1", "l2"], ["l4"], id="counted down"),
        pytest.param("b{0,2,5}/{kernel,bias}", ["b2/bias"], ["b1/bias"], id="two lists"),
        pytest.param("{conv*,dense}/k", ["conv_1/k", "dense/k"], ["denser/k"], id="stars in a list"),
        pytest.param("{a,b{1..2}}", ["a", "b2"], ["b", "b3"], id="nested"),
        pytest.param("odd{name}", ["odd{name}"], ["oddname"], id="no list"),
        pytest.param("open{a,b", ["open{a,b"], ["opena"], id="never closed"),
        pytest.param("x[", ["x["], ["x"], id="set never closed"),
        pytest.param("x[0]", ["x[0]", "x0"], ["x1"], id="a name with brackets"),
        pytest.param("a.b", ["a.b"], ["axb"], id="a dot is a dot"),
    ],
)
def test_a_glob_meets(text: str, meets: list[str], not_: list[str]) -> None:
    assert [name for name in (*meets, *not_) if glob(text).meets(name)] == meets


def test_a_name_that_is_spelt_like_a_glob_is_that_name_alone() -> None:
    assert met("x[0]", ("x0", "x[0]")) == ("x[0]",)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param("l*.w", "block*/k", [("l1.w", "block1/k"), ("l2.w", "block2/k")], id="stars"),
        pytest.param("l{1..2}.w", "b{3..4}/k", [("l1.w", "b3/k"), ("l2.w", "b4/k")], id="counters in step"),
        pytest.param("l{1,2}.w", "b{x,y}/k", [("l1.w", "bx/k"), ("l2.w", "by/k")], id="lists in step"),
        pytest.param("l{1..2}.w", "b*/k", [("l1.w", "b1/k"), ("l2.w", "b2/k")], id="what the braces met"),
        pytest.param("l[2-9].w", "b?/k", [("l2.w", "b2/k")], id="what the set met"),
        pytest.param("l1.w", "b[0]/k", [("l1.w", "b[0]/k")], id="plain names"),
        pytest.param("z*", "b*", [], id="none"),
    ],
)
def test_a_map_joins(left: str, right: str, expected: list[tuple[str, str]]) -> None:
    assert mapped(left, right, ("l1.w", "l2.w")) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("l1*", "b*/*", id="more stars"),
        pytest.param("l*", "b{1..2}", id="braces for a star"),
        pytest.param("l{1..2}.w", "b{1..3}", id="braces of another length"),
        pytest.param("l{1..99999999}", "b*", id="a counter without end"),
    ],
)
def test_a_map_that_does_not_run_in_step_is_refused(left: str, right: str) -> None:
    with pytest.raises(UsageError):
        mapped(left, right, ("l1.w",))


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        pytest.param("dense/kernel", "dense/kernel", id="plain"),
        pytest.param("größe [0]/w", "größe [0]/w", id="what can be typed"),
        pytest.param("\x1b[31mred/w", "??31mred/w", id="a terminal's"),
        pytest.param("b\n# h1\n.*", "b?# h1?.*", id="lines, and a star"),
        pytest.param("\u202eevil\u202c", "?evil?", id="bidi"),
    ],
)
def test_a_printed_glob_can_be_copied(name: str, typed: str) -> None:
    assert typeable(name) == typed
    assert met(typeable(name), (name, "other")) == (name,)
