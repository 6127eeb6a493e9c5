"""Mapping rules: which tensors of one family's checkpoints fill which of a model.

`encoder.layer.{n}.query.weight` -> `block_{n+1}/query/kernel`. A rule holds `summary`, `map` tables
(`source`: a list of names, `target`, and, where it is no plain copy, `transform` with its `parameters` and
the `shapes` it was found for) and `case` tables. `{n}` stands for a number, `{n+1}` for one more.
docs/rules.md has the schema.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.rules.reading import (
    Table,
    faults_of,
    one_sided,
    parsed,
    refuse,
    unknown_keys,
    user_files,
)

KEYS = frozenset({"summary", "map", "case"})
MAP_KEYS = frozenset({"source", "target", "transform", "parameters", "shapes"})
CASE_KEYS = frozenset({"source", "target", "fits"})
SLOT = re.compile(r"\{([a-z])(?:([+-])(\d+))?\}")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One line of a mapping.

    shapes: those of the sources, then the target's; empty where the transform fits any.
    """

    sources: tuple[str, ...]
    target: str
    transform: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()

    def sources_for(self, target: str) -> tuple[str, ...] | None:
        """The names of the sources of this target tensor, None where the entry is about others."""
        found = self._pattern.fullmatch(target)
        if found is None:
            return None
        numbers = {k: int(v) for k, v in found.groupdict().items()}
        names = tuple(_filled(source, numbers) for source in self.sources)
        return names if all(names) else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        seen: set[str] = set()
        pattern = ""
        for part in re.split(r"(\{[a-z](?:[+-]\d+)?\})", self.target):
            pattern += _group(part, seen) if SLOT.fullmatch(part) else re.escape(part)
        return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class MappingRule:
    id: str
    path: str
    summary: str
    entries: tuple[Entry, ...]
    cases: tuple[Mapping[str, Any], ...]

    def find(self, target: str) -> tuple[Entry, tuple[str, ...]] | None:
        """The first entry about this target tensor, with the names of its sources."""
        for entry in self.entries:
            names = entry.sources_for(target)
            if names is not None:
                return entry, names
        return None


def _group(slot: str, seen: set[str]) -> str:
    letter = slot[1]
    again = letter in seen
    seen.add(letter)
    return f"(?P={letter})" if again else rf"(?P<{letter}>\d+)"


def _filled(pattern: str, numbers: Mapping[str, int]) -> str:
    """ "" where a number would be negative, or is not known."""
    values = {slot[0]: _value(slot, numbers) for slot in SLOT.finditer(pattern)}
    return "" if None in values.values() else SLOT.sub(lambda slot: str(values[slot[0]]), pattern)


def _value(slot: re.Match[str], numbers: Mapping[str, int]) -> int | None:
    if slot[1] not in numbers:
        return None
    value = numbers[slot[1]] + int(f"{slot[2] or '+'}{slot[3] or 0}")
    return value if value >= 0 else None


def load_mappings(folders: Sequence[Path] = ()) -> tuple[MappingRule, ...]:
    """The mapping rules of the user's folders, by folder and name. Raises RuleError for a wrong one."""
    return tuple(read_mapping(path) for path in user_files(folders, "mapping"))


def read_mapping(path: Path) -> MappingRule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    data = parsed(path)
    with faults_of(path):
        refuse(_problems(data))
        entries = tuple(_entry(table) for table in data["map"])
        return MappingRule(path.stem, str(path), str(data["summary"]), entries, tuple(data["case"]))


def _problems(data: Table) -> list[str]:
    problems = unknown_keys(data, KEYS, "the rule")
    for table in data["map"]:
        problems += unknown_keys(table, MAP_KEYS, "a map table")
    for case in data["case"]:
        problems += unknown_keys(case, CASE_KEYS, "a case")
    return problems + one_sided(case.get("fits") for case in data["case"])


def _entry(table: Table) -> Entry:
    shapes = tuple(tuple(map(int, shape)) for shape in table.get("shapes", ()))
    sources = tuple(map(str, table["source"]))
    transform, parameters = table.get("transform", ""), table.get("parameters", {})
    return Entry(sources, str(table["target"]), transform, parameters, shapes)


def failing_mapping_cases(rule: MappingRule) -> tuple[str, ...]:
    """What is wrong with the rule's own cases, one sentence each."""
    wrong = [case for case in rule.cases if _fits(rule, case) is not bool(case["fits"])]
    return tuple(
        f"{rule.id}: {case['source']} -> {case['target']} should {'' if case['fits'] else 'not '}fit"
        for case in wrong
    )


def _fits(rule: MappingRule, case: Mapping[str, Any]) -> bool:
    found = rule.find(case["target"])
    return found is not None and list(found[1]) == list(case["source"])
