"""rules/reading: one reader of rule files, which says all that is wrong with one, and with which."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from weightbridge.errors import RuleError
from weightbridge.rules.dialects import read_dialect
from weightbridge.rules.layouts import read_rule
from weightbridge.rules.mappings import read_mapping
from weightbridge.rules.names import read_name_rule
from weightbridge.rules.reading import MOST_BYTES, parsed

READERS = (read_dialect, read_rule, read_mapping, read_name_rule)


def test_a_file_is_parsed_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "rule.toml"
    path.write_text("summary = 'a'")
    before = parsed(path)
    assert parsed(path) is before
    path.write_text("summary = 'bb'")
    assert parsed(path)["summary"] == "bb"


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("text", ["summary = ", "map = 1\nsource = 2\ncase = 3", "case = [1]"])
def test_every_kind_says_which_file_is_wrong(
    tmp_path: Path, read: Callable[[Path], object], text: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RuleError, match=r"wrong\.toml: "):
        read(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.touch()
    os.truncate(path, MOST_BYTES + 1)
    with pytest.raises(RuleError, match=f"more than {MOST_BYTES}"):
        parsed(path)


def test_all_problems_of_a_file_are_said_together(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("summary = 'x'\nmap = []\ncolour = 1\ncase = [{ fits = true, size = 1 }]")
    with pytest.raises(RuleError, match=r"'colour' in the rule.*'size' in a case.*at least one case"):
        read_mapping(path)
