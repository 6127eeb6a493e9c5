"""The vocabulary of ops is that of the documentation."""

import re
from pathlib import Path

from weightbridge.model import vocabulary

DOCUMENT = Path(__file__).parents[1] / "docs" / "attributes.md"


def documented_ops() -> set[str]:
    """The first column of the document's first table, that of the ops."""
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text[text.index("| op |") :].partition("\n\n")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    without_attributes = re.sub(r"\(.*?\)", "", " ".join(first_cells[1:]))
    return set(re.findall(r"[A-Z]\w+", without_attributes))


def test_every_documented_op_is_in_the_vocabulary() -> None:
    documented = documented_ops()
    assert {"Conv", "Repeat", "Noise", "Opaque"} <= documented
    assert documented - vocabulary.OPS == set()


def test_every_op_of_the_vocabulary_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [op for op in sorted(vocabulary.OPS) if not re.search(rf"\b{op}\b", text)] == []


def test_sets_hold_known_ops_alone() -> None:
    sets = {name: value for name, value in vars(vocabulary).items() if isinstance(value, frozenset)}
    assert {name: value - vocabulary.OPS for name, value in sets.items() if value - vocabulary.OPS} == {}
