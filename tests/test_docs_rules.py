"""docs/rules.md is right: its examples are rules whose cases hold, and it names every key that a rule may
have.
"""

import re
from pathlib import Path

import pytest

from weightbridge.commands import rules as rulebook
from weightbridge.rules import dialects, mappings
from weightbridge.rules import layouts as rules
from weightbridge.rules import names as functions
from weightbridge.rules.folders import rules_folder

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "rules.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
KINDS = ("layout", "dialect", "name", "mapping")
KEYS = {
    "layout": rules.KEYS | rules.SIDE_KEYS | rules.CASE_KEYS,
    "dialect": dialects.KEYS | dialects.MATCH_KEYS | dialects.NORMALISE_KEYS | dialects.CASE_KEYS,
    "name": functions.KEYS | functions.CASE_KEYS,
    "mapping": mappings.KEYS | mappings.MAP_KEYS | mappings.CASE_KEYS,
}


@pytest.mark.parametrize(("kind", "example"), list(zip(KINDS, EXAMPLES, strict=True)), ids=KINDS)
def test_an_example_is_a_rule_of_its_kind_whose_cases_hold(tmp_path: Path, kind: str, example: str) -> None:
    (tmp_path / "example.toml").write_text(example)
    assert [rule.kind for rule in rulebook.rule_files((tmp_path,)) if rule.id == "example"] == [kind]
    assert (rulebook.tested(tmp_path).cases, rulebook.tested(tmp_path).problems) == (2, ())


@pytest.mark.parametrize(("kind", "keys"), KEYS.items(), ids=KEYS.keys())
def test_every_key_is_explained(kind: str, keys: frozenset[str]) -> None:
    section = "".join((DOCUMENT.split("\n## ")[0], DOCUMENT.split("\n## ")[1 + KINDS.index(kind)]))
    assert sorted(key for key in keys if f"`{key}`" not in section) == []


def test_an_example_whose_case_is_wrong_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "example.toml").write_text(
        EXAMPLES[0].replace("target = [5, 7, 3, 64]", "target = [5, 7, 3, 65]")
    )
    assert len(rulebook.tested(tmp_path).problems) == 1


def test_shipped_rules_are_where_the_document_says() -> None:
    folders = {path.parent.name for path in rules_folder().glob("**/*.toml")}
    assert {f"rules/{name}" for name in folders} == set(re.findall(r"`(rules/\w+)`", DOCUMENT))
