"""Dialect rules: each with its own cases, a file that is wrong, and what Keras 3 makes of real files of Keras
2.
"""

import json
from pathlib import Path

import pytest
from keras_files import FIXTURES, layer, sequential, source, write_legacy

from weightbridge import formats
from weightbridge.errors import RuleError
from weightbridge.formats.keras import h5 as keras_h5
from weightbridge.formats.keras.architecture.dialect_cases import failing
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.dialects import Dialect, admits, dialects, read_dialect, version_of

CASES = [pytest.param(rule, i, id=f"{rule.id}-{i}") for rule in dialects() for i in range(len(rule.cases))]
KERAS2 = json.loads((FIXTURES / "keras2" / "expected.json").read_text())
CODES = {"same": set(), "changed": {"WB103"}, "refused": {"WB102"}}


@pytest.mark.parametrize(("rule", "i"), CASES)
def test_rule_cases(rule: Dialect, i: int) -> None:
    assert failing(rule, rule.cases[i], i) == ()


@pytest.mark.parametrize(("rule", "i"), CASES)
def test_a_case_that_says_the_opposite_fails(rule: Dialect, i: int) -> None:
    assert failing(rule, {**rule.cases[i], "matches": not rule.cases[i]["matches"]}, i)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("summary = ", "cannot be read", id="no-toml"),
        pytest.param('summary = "x"\nsurprise = 1', "unknown key 'surprise'", id="unknown-key"),
        pytest.param('summary = "x"', "'cause' is missing", id="missing-key"),
        pytest.param(
            'summary="x"\nversions="<3"\ncode="WB999"\ncause="x"\nfix="x"\n'
            'match={trait="x"}\ncase=[{matches=true}]',
            "does not",
            id="one-sided",
        ),
        pytest.param('match = { colour = "red" }', "unknown key 'colour'", id="unknown-match"),
    ],
)
def test_wrong_rule_files_are_refused(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "rule.toml"
    path.write_text(text)
    with pytest.raises(RuleError, match=what):
        read_dialect(path)


@pytest.mark.parametrize(
    ("versions", "version", "admitted"),
    [
        ("<3", "2.4.0", True),
        ("<3", "3.0.0", False),
        (">=2,<2.3", "2.2.4-tf", True),
        (">=2,<2.3", "2.3.1", False),
        ("<2", "", True),
        ("*", "9", True),
    ],
)
def test_version_ranges(versions: str, version: str, admitted: bool) -> None:
    assert admits(versions, version_of(version)) is admitted


def _codes(graph: LayerGraph) -> set[str]:
    return {f.code for f in graph.findings} & {"WB102", "WB103"}


@pytest.mark.parametrize("name", sorted(set(KERAS2) - {"lambda.h5"}))
def test_keras_2_files_are_judged_as_keras_3_does(name: str) -> None:
    assert _codes(formats.read(FIXTURES / "keras2" / name)) == CODES[KERAS2[name]["today"]]


def test_a_lambda_is_named_and_not_run() -> None:
    graph = formats.read(FIXTURES / "keras2" / "lambda.h5")
    assert [(f.code, f.source) for f in graph.findings] == [("WB104", "lambda")]
    assert graph.by_name["lambda"].op == "Lambda"
    assert "function" not in graph.by_name["lambda"].attributes


@pytest.mark.parametrize(("version", "expected"), [("2.3.1", {"WB103"}), ("3.0.0", set())])
def test_hard_sigmoid_means_another_thing_in_another_version(
    tmp_path: Path, version: str, expected: set[str]
) -> None:
    config = sequential(
        source("x", [4], module=""),
        layer("Dense", "d", module="", units=2, activation="hard_sigmoid"),
        module="",
    )
    graph = keras_h5.read(write_legacy(tmp_path / "m.h5", {"d": {}}, config, version=version))
    assert _codes(graph) == expected
    canonical = ("hard_sigmoid", {"slope": 0.2, "offset": 0.5}) if expected else "hard_sigmoid"
    assert graph.by_name["d"].attributes["activation"] == canonical
