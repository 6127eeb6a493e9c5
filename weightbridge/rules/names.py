"""Name rules (rules/names/*.toml): what a leaf is for, by the words of its path: `q_proj` -> `query`."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.rules.folders import Folders, rules_folder, users
from weightbridge.rules.reading import (
    Table,
    faults_of,
    one_sided,
    parsed,
    refuse,
    unknown_keys,
    user_files,
)
from weightbridge.rules.words import words

KEYS = frozenset({"summary", "function", "kinds", "words", "within", "without", "priority", "case"})
CASE_KEYS = frozenset({"name", "kind", "fits"})
CROSS = (  # what a path has where a leaf attends to another sequence
    ("cross",),
    ("encoder", "attention"),
    ("enc", "dec", "attention"),
    ("encoder", "decoder", "attention"),
    ("crossattention",),
)
WRAPPED = frozenset({"layer", "linear", "dense"})  # words that only say that something is a layer
CROSSED = frozenset({"query", "key", "value", "qkv", "kv", "attention_output", "norm_query", "norm_key"})


@dataclass(frozen=True, slots=True)
class NameRule:
    """What leaves of some `kinds` are for, by words that their path ends with, has and has not.

    Empty `words` and `within` fit any path. The rule with the lowest priority number that fits decides.
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
    """The function of a leaf with this path, "" where no rule knows it.

    Cross-attention has functions of its own (`cross_query`).
    """
    folders = users()
    asked = _asked_numbers(folders)
    plain = tuple("" if word.isdigit() and word not in asked else word for word in path)
    return _function_of(plain, kind, folders)


@lru_cache(maxsize=1 << 16)
def _function_of(path: tuple[str, ...], kind: str, folders: Folders) -> str:
    """The same for a path without the numbers that no rule asks for: equal blocks are judged once."""
    function = _function_by_rule(path, kind, folders)
    is_cross = function in CROSSED and any(_holds(path, part) for part in CROSS)
    return f"cross_{function}" if is_cross else function


def _function_by_rule(path: tuple[str, ...], kind: str, folders: Folders) -> str:
    """By the first rule that fits; by the words before a last one that only says that it is a layer."""
    rule = next((rule for rule in name_rules(folders) if rule.fits(path, kind)), None)
    function = rule.function if rule else ""
    is_told_by_last = rule is not None and path[-1:] not in rule.words
    if is_told_by_last or not _is_wrapped(path, kind):
        return function
    inner = path[:-2] if path[-2:] == ("base", "layer") else path[:-1]
    return _function_of(inner, kind, folders) or function


def _is_wrapped(path: tuple[str, ...], kind: str) -> bool:
    """Whether its last word only says that it is a layer (`q_proj.linear`, `query_dense_layer`)."""
    return path[-1:] == ("layer",) or (kind == "matrix" and path[-1:] != () and path[-1] in WRAPPED)


@cache
def _asked_numbers(folders: Folders) -> frozenset[str]:
    """The numbers that rules ask for (`norm 1`)."""
    asked: set[str] = set()
    for rule in name_rules(folders):
        for part in (*rule.words, *rule.within, *rule.without):
            asked.update(word for word in part if word.isdigit())
    return frozenset(asked)


@cache
def name_rules(folders: Folders = ()) -> tuple[NameRule, ...]:
    """The shipped rules and the user's, in the order in which they are asked.

    Raises RuleError for a wrong one.
    """
    shipped = sorted((rules_folder() / "names").glob("*.toml"))
    rules = [read_name_rule(path) for path in (*shipped, *user_files(folders, "name"))]
    return tuple(sorted(rules, key=lambda rule: (rule.priority, rule.id)))


def read_name_rule(path: Path) -> NameRule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    data = parsed(path)
    with faults_of(path):
        refuse(_problems(data))
        return NameRule(
            path.stem,
            str(data["function"]),
            tuple(data["kinds"]),
            _sequences(data, "words"),
            _sequences(data, "within"),
            _sequences(data, "without"),
            int(data["priority"]),
            tuple(data["case"]),
        )


def _problems(data: Table) -> list[str]:
    problems = unknown_keys(data, KEYS, "the rule")
    for case in data["case"]:
        problems += unknown_keys(case, CASE_KEYS, "a case")
    return problems + one_sided(case.get("fits") for case in data["case"])


def _sequences(data: Table, key: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(str(w).split()) for w in data.get(key, ()))


def failing_name_cases(rule: NameRule) -> tuple[str, ...]:
    """What is wrong with the rule's own cases, one sentence each.

    A case is judged by the function that all rules together give.
    """
    wrong = []
    for case in rule.cases:
        fits = function_of(words(case["name"]), case["kind"]) == rule.function
        if fits is not case["fits"]:
            verb = "should be" if case["fits"] else "should not be"
            wrong.append(f"{rule.id}: {case['name']} as a {case['kind']} {verb} {rule.function!r}")
    return tuple(wrong)


def _holds(path: Sequence[str], part: tuple[str, ...]) -> bool:
    n = len(part)
    return any(tuple(path[i : i + n]) == part for i in range(len(path) - n + 1))
