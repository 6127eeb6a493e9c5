"""A found mapping as a rule file: which tensors of one family's checkpoints fill which of a model, with
numbers as variables.

A mapping rule holds `summary`, `map` tables (`source`: a list of names, `target`, and, where it is no plain
copy, `transform` with its
`parameters` and the `shapes` it was found for) and `case` tables. `{n}` stands for a number, `{n+1}` for one
more.
docs/rules.md has the schema.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from weightbridge.errors import RuleError

FIX = "docs/rules.md has the schema"
KEYS = frozenset({"summary", "map", "case"})
MAP_KEYS = frozenset({"source", "target", "transform", "parameters", "shapes"})
CASE_KEYS = frozenset({"source", "target", "fits"})
SLOT = re.compile(r"\{([a-z])(?:([+-])(\d+))?\}")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """One line of a mapping. shapes: those of the sources, then the target's; empty where the transform fits
    any.
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
        parts = re.split(r"(\{[a-z](?:[+-]\d+)?\})", self.target)
        return re.compile(
            "".join(_group(part, seen) if SLOT.fullmatch(part) else re.escape(part) for part in parts)
        )


@dataclass(frozen=True, slots=True)
class MappingRule:
    id: str
    path: str
    summary: str
    entries: tuple[Entry, ...]
    cases: tuple[Mapping[str, Any], ...]

    def find(self, target: str) -> tuple[Entry, tuple[str, ...]] | None:
        """The first entry about this target tensor, with the names of its sources."""
        found = ((entry, entry.sources_for(target)) for entry in self.entries)
        return next(((entry, names) for entry, names in found if names is not None), None)


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


def read_mapping(path: Path) -> MappingRule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_entry(table) for table in data["map"])
        cases = tuple(data["case"])
        wrong = [k for k in data if k not in KEYS] + [k for case in cases for k in case if k not in CASE_KEYS]
        rule = MappingRule(path.stem, str(path), str(data["summary"]), entries, cases)
    except (OSError, KeyError, TypeError, ValueError, re.error) as error:
        reason = f"the key {error} is missing" if isinstance(error, KeyError) else error
        raise RuleError(f"the rule cannot be read: {reason}", where=str(path), fix=FIX) from error
    if wrong or {bool(case.get("fits")) for case in cases} != {True, False}:
        problem = (
            f"unknown key {wrong[0]!r}" if wrong else "give at least one case that fits and one that does not"
        )
        raise RuleError(problem, where=str(path), fix=FIX)
    return rule


def _entry(table: Mapping[str, Any]) -> Entry:
    unknown = sorted(set(table) - MAP_KEYS)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in a map table")
    shapes = tuple(tuple(map(int, shape)) for shape in table.get("shapes", ()))
    return Entry(
        tuple(map(str, table["source"])),
        str(table["target"]),
        table.get("transform", ""),
        table.get("parameters", {}),
        shapes,
    )


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
