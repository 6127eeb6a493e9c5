"""Rules: TOML files, one rule each, that say which tensors of two frameworks correspond and how their axes
do.

A rule file holds `summary`, `axes` (an einops pattern), a `transform` with its `parameters` (and `ratio`:
source elements per
target element), the two sides (`framework`, `op`, `role`, each a list), and `case` tables: at least one that
fits and one that
does not. The file's stem is the rule's id. docs/rules.md has the schema.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from weightbridge.errors import RuleError
from weightbridge.model.axes import expand, inverse, is_identity, merges_or_drops, parse, solve
from weightbridge.rules.folders import rules_folder, user_files
from weightbridge.rules.mappings import MappingRule, read_mapping

KEYS = frozenset(
    {"summary", "axes", "transform", "parameters", "ratio", "source", "target", "case", "lengths"}
)
SIDE_KEYS = frozenset({"framework", "op", "role", "attributes"})
CASE_KEYS = frozenset({"source", "target", "fits", "lengths"})


@dataclass(frozen=True, slots=True)
class Side:
    """Which tensors one side of a rule is about; an attribute must have the given value on the layer."""

    framework: tuple[str, ...]
    op: tuple[str, ...]
    role: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def admits(self, framework: str, op: str, role: str, attributes: Mapping[str, Any]) -> bool:
        named = framework in self.framework and op in self.op and role in self.role
        return named and all(attributes.get(k) == v for k, v in self.attributes.items())


@dataclass(frozen=True, slots=True)
class Case:
    """Two shapes, the lengths known from elsewhere, and whether the rule joins them."""

    source: tuple[int, ...]
    target: tuple[int, ...]
    fits: bool
    lengths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A correspondence of tensors.

    axes: the shape test, and the transform itself where no other is named; a named transform gets it as its
    `pattern`.
    ratio: the shape test of a transform without axes. lengths: axes whose length only the graph knows (a
    Flatten's input).
    """

    id: str
    path: str
    summary: str
    source: Side
    target: Side
    axes: str = ""
    transform: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    ratio: float = 1
    lengths: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()

    def joins(
        self, source: tuple[int, ...], target: tuple[int, ...], known: Mapping[str, int]
    ) -> tuple[str, dict[str, Any]] | None:
        """The transform and its parameters where these shapes fit, else None. `known` must hold the rule's
        `lengths`.
        """
        if not self.axes:
            return (
                (self.transform, dict(self.parameters)) if prod(source) == self.ratio * prod(target) else None
            )
        pattern = expand(self.axes, source, target)
        lengths = solve(pattern, source, target, {n: known[n] for n in self.lengths if n in known})
        if lengths is None or not known.keys() >= set(self.lengths):
            return None
        if self.transform:
            return self.transform, {
                **self.parameters,
                "pattern": pattern,
                **(lengths if merges_or_drops(pattern) else {}),
            }
        return ("" if is_identity(pattern) else pattern), (lengths if merges_or_drops(pattern) else {})


def load_rules(folders: Sequence[Path] = ()) -> tuple[Rule, ...]:
    """The shipped layout rules and those of the user's folders, by id. All problems of a folder are reported
    together.

    Raises RuleError: unreadable or wrong files, a missing case, two rules with one id.
    """
    paths = [*sorted((rules_folder() / "layouts").glob("*.toml")), *user_files(folders, "layout")]
    problems: list[str] = []
    rules: dict[str, Rule] = {}
    for path in paths:
        try:
            rule = read_rule(path)
        except RuleError as error:
            problems.append(str(error))
            continue
        if rule.id in rules:
            problems.append(f"{path}: the id {rule.id!r} is taken by {rules[rule.id].path}")
        rules[rule.id] = rule
    if problems:
        raise RuleError("\n".join(problems))
    return tuple(rules[k] for k in sorted(rules))


def load_mappings(folders: Sequence[Path] = ()) -> tuple[MappingRule, ...]:
    """The mapping rules of the user's folders, by id. Raises RuleError for a wrong one."""
    return tuple(read_mapping(path) for path in user_files(folders, "mapping"))


def read_rule(path: Path) -> Rule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    try:
        data = tomllib.loads(path.read_text())
        _check_keys(data, KEYS, "the rule")
        rule = Rule(
            id=path.stem,
            path=str(path),
            summary=str(data["summary"]),
            source=_side(data["source"]),
            target=_side(data["target"]),
            axes=data.get("axes", ""),
            transform=data.get("transform", ""),
            parameters=data.get("parameters", {}),
            ratio=float(data.get("ratio", 1)),
            lengths=tuple(data.get("lengths", ())),
            cases=tuple(_case(c) for c in data.get("case", [])),
        )
        _check(rule)
    except (KeyError, TypeError, ValueError, OSError, RuleError) as error:
        raise RuleError(
            f"{path}: {f'the key {error} is missing' if isinstance(error, KeyError) else error}",
            fix="docs/rules.md has the schema",
        ) from error
    return rule


def _check_keys(data: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise RuleError(f"{what} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _side(data: Mapping[str, Any]) -> Side:
    _check_keys(data, SIDE_KEYS, "a side")
    return Side(tuple(data["framework"]), tuple(data["op"]), tuple(data["role"]), data.get("attributes", {}))


def _case(data: Mapping[str, Any]) -> Case:
    _check_keys(data, CASE_KEYS, "a case")
    return Case(tuple(data["source"]), tuple(data["target"]), bool(data["fits"]), data.get("lengths", {}))


def _check(rule: Rule) -> None:
    if not rule.axes and not rule.transform:
        raise RuleError("give `axes`, or a `transform`")
    if rule.axes:
        parse(expand(rule.axes, tuple(range(8)), tuple(range(8))))
    if {c.fits for c in rule.cases} != {True, False}:
        raise RuleError("give at least one case that fits and one that does not")


def failing_cases(rule: Rule) -> tuple[str, ...]:
    """What is wrong with the rule's own cases, one sentence each; empty where all hold, forwards and
    backwards.
    """
    wrong = []
    for case in rule.cases:
        fits = rule.joins(case.source, case.target, case.lengths) is not None
        pattern = expand(rule.axes, case.source, case.target)
        returns = (
            not fits
            or not pattern
            or solve(inverse(pattern), case.target, case.source, case.lengths) is not None
        )
        if fits != case.fits or not returns:
            verb = "should fit" if case.fits else "should not fit"
            wrong.append(
                f"{rule.id}: {list(case.source)} -> {list(case.target)} {verb} {rule.axes or rule.transform!r}"
            )
    return tuple(wrong)
