"""What a leaf is for (`query`, `up`, `norm_ffn`, `token_embedding`), by the rules in rules/names/."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from weightbridge.errors import RuleError
from weightbridge.rules.folders import Folders, rules_folder, user_files, users
from weightbridge.rules.words import words

KEYS = frozenset({"summary", "function", "kinds", "words", "within", "without", "priority", "case"})
CASE_KEYS = frozenset({"name", "kind", "fits"})
CROSS = ("cross", "encoder attention", "enc dec attention", "encoder decoder attention", "crossattention")
WRAPPED = frozenset({"layer", "linear", "dense"})  # words that only say that something is a layer
CROSSED = frozenset({"query", "key", "value", "qkv", "kv", "attention_output", "norm_query", "norm_key"})


@dataclass(frozen=True, slots=True)
class NameRule:
    """A leaf of one of `kinds` whose path ends with one of `words` (any, where empty), has one of `within`
    and none of `without`.

    The rule with the lowest priority number that fits decides.
    """

    id: str
    function: str
    kinds: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    within: tuple[tuple[str, ...], ...]
    without: tuple[tuple[str, ...], ...]
    priority: int
    cases: tuple[Mapping[str, Any], ...]

    def fits(self, path: tuple[str, ...], kind: str) -> bool:
        ends = not self.words or any(path[-len(w) :] == w for w in self.words)
        inside = not self.within or any(_holds(path, w) for w in self.within)
        return kind in self.kinds and ends and inside and not any(_holds(path, w) for w in self.without)


def function_of(path: tuple[str, ...], kind: str) -> str:
    """The function of a leaf with this path, "" where no rule knows it. Cross-attention has functions of its
    own (`cross_query`).
    """
    folders = users()
    told = _told_numbers(folders)
    return _function_of(tuple("" if w.isdigit() and w not in told else w for w in path), kind, folders)


@lru_cache(maxsize=1 << 16)
def _function_of(path: tuple[str, ...], kind: str, folders: Folders) -> str:
    """The same for a path without the numbers that no rule asks for: the blocks of a model are judged once."""
    rule = next((rule for rule in name_rules(folders) if rule.fits(path, kind)), None)
    found = rule.function if rule else ""
    is_wrapped = path[-1:] == ("layer",) or (kind == "matrix" and bool(path) and path[-1] in WRAPPED)
    if is_wrapped and (rule is None or path[-1:] in rule.words):  # `q_proj.linear`, `query_dense_layer`
        found = _function_of(path[: -2 if path[-2:] == ("base", "layer") else -1], kind, folders) or found
    is_cross = found in CROSSED and any(_holds(path, tuple(c.split())) for c in CROSS)
    return f"cross_{found}" if is_cross else found


@cache
def _told_numbers(folders: Folders) -> frozenset[str]:
    """The numbers that rules ask for (`norm 1`)."""
    asked = (
        w for rule in name_rules(folders) for group in (rule.words, rule.within, rule.without) for w in group
    )
    return frozenset(word for words_asked in asked for word in words_asked if word.isdigit())


@cache
def name_rules(folders: Folders = ()) -> tuple[NameRule, ...]:
    """The shipped rules and the user's, in the order in which they are asked. Raises RuleError for a file
    that is wrong.
    """
    shipped = sorted((rules_folder() / "names").glob("*.toml"))
    rules = [read_name_rule(path) for path in (*shipped, *user_files(folders, "name"))]
    return tuple(sorted(rules, key=lambda rule: (rule.priority, rule.id)))


def read_name_rule(path: Path) -> NameRule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        rule = NameRule(
            path.stem,
            str(data["function"]),
            tuple(data["kinds"]),
            _sequences(data, "words"),
            _sequences(data, "within"),
            _sequences(data, "without"),
            int(data["priority"]),
            tuple(data["case"]),
        )
        unknown = sorted(
            {k for k in data if k not in KEYS}
            | {k for case in rule.cases for k in case if k not in CASE_KEYS}
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = f"the key {error} is missing" if isinstance(error, KeyError) else error
        raise RuleError(
            f"the rule cannot be read: {reason}", where=str(path), fix="docs/rules.md has the schema"
        ) from error
    if unknown or {bool(c.get("fits")) for c in rule.cases} != {True, False}:
        wrong = (
            f"unknown key {unknown[0]!r}"
            if unknown
            else "give at least one case that fits and one that does not"
        )
        raise RuleError(wrong, where=str(path), fix="docs/rules.md has the schema")
    return rule


def _sequences(data: Mapping[str, Any], key: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(str(w).split()) for w in data.get(key, ()))


def failing_name_cases(rule: NameRule) -> tuple[str, ...]:
    """What is wrong with the rule's own cases, one sentence each: judged by the function that all rules
    together give.
    """
    return tuple(
        f"{rule.id}: {case['name']} as a {case['kind']} should {'' if case['fits'] else 'not '}be {rule.function!r}"
        for case in rule.cases
        if (function_of(words(case["name"]), case["kind"]) == rule.function) is not case["fits"]
    )


def _holds(path: Sequence[str], part: tuple[str, ...]) -> bool:
    n = len(part)
    return any(tuple(path[i : i + n]) == part for i in range(len(path) - n + 1))
