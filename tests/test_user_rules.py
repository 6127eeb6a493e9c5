"""--rules DIR: rules of every kind take effect for one command, and a wrong one is said."""

from pathlib import Path

import pytest
from keras_files import layer, numbers, sequential, source, write_legacy

import weightbridge as wb
from weightbridge.errors import RuleError
from weightbridge.rules.folders import users, with_rules
from weightbridge.rules.names import function_of

NAME = """summary = "A zeta is a query"
function = "query"
kinds = ["matrix"]
words = ["zeta"]
priority = 50
case = [{ name = "a.zeta", kind = "matrix", fits = true }, { name = "a.eta", kind = "matrix", fits = false }]
"""
DIALECT = """summary = "OurDense is Dense"
versions = "<3"
code = "WB102"
cause = "OurDense was renamed"
fix = "Build it anew"
match = { class = ["OurDense"] }
normalise = { classes = { OurDense = "Dense" } }
[[case]]
matches = true
version = "2.4.0"
layer = { class_name = "OurDense", config = {} }
[[case]]
matches = false
version = "2.4.0"
layer = { class_name = "Dense", config = {} }
"""


def _rules(folder: Path, **texts: str) -> Path:
    made = folder / "mine"
    made.mkdir()
    for name, text in texts.items():
        (made / f"{name}.toml").write_text(text)
    return made


def _model(path: Path, class_name: str) -> Path:
    config = sequential(
        source("x", [4], module=""), layer(class_name, "d", module="", units=2, use_bias=True), module=""
    )
    return write_legacy(
        path, {"d": {"d/kernel:0": numbers(4, 2), "d/bias:0": numbers(2)}}, config, version="2.4.0"
    )


def test_a_dialect_of_the_users_counts_with_rules_alone(tmp_path: Path) -> None:
    model, rules = _model(tmp_path / "m.h5", "OurDense"), _rules(tmp_path, ours=DIALECT)
    without, told = wb.inspect(model), wb.inspect(model, rules=[rules])
    assert [{f.code for f in r.findings} & {"WB102", "WB104"} for r in (without, told)] == [
        {"WB104"},
        {"WB102"},
    ]


def test_a_name_of_the_users_counts_inside_alone(tmp_path: Path) -> None:
    with with_rules((_rules(tmp_path, zeta=NAME),)):
        assert function_of(("block", "zeta"), "matrix") == "query"
    assert (function_of(("block", "zeta"), "matrix"), users()) == ("", ())


def test_layouts_are_not_asked_to_be_what_they_are_not(tmp_path: Path) -> None:
    model = _model(tmp_path / "m.h5", "Dense")
    assert wb.check(model, model, rules=[_rules(tmp_path, zeta=NAME, ours=DIALECT)]).exit_code == 0


@pytest.mark.parametrize(
    "text", [NAME + "surprise = 1", DIALECT.replace("WB102", "WB999"), "summary = ", "summary = 'x'"]
)
def test_a_wrong_rule_is_said_with_its_file(tmp_path: Path, text: str) -> None:
    model = _model(tmp_path / "m.h5", "Dense")
    with pytest.raises(RuleError, match=r"wrong\.toml"):
        wb.check(model, model, rules=[_rules(tmp_path, wrong=text)])
