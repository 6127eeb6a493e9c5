"""Layout rules: which tensors of two frameworks correspond, and how their axes do.

A rule file holds `summary`, `axes` (an einops pattern), a `transform` with its `parameters` (and `ratio`:
source elements per target element), the two sides (`framework`, `op`, `role`, each a list), and `case`
tables: at least one that fits and one that does not. The file's stem is the rule's id. docs/rules.md has the
schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from math import prod
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors import RuleError
from weightbridge.model.axes import expand, inverse, is_identity, merges_or_drops, parse, solve
from weightbridge.rules.folders import rules_folder
from weightbridge.rules.reading import (
    Table,
    faults_of,
    one_sided,
    parsed,
    refuse,
    unknown_keys,
    user_files,
)

KEYS = frozenset(
    {"summary", "axes", "transform", "parameters", "ratio", "source", "target", "case", "lengths"}
)
SIDE_KEYS = frozenset({"framework", "op", "role", "attributes"})
CASE_KEYS = frozenset({"source", "target", "fits", "lengths"})
Shape = tuple[int, ...]
Transform = tuple[str, dict[str, Any]]  # its name or pattern, and its parameters


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

    source: Shape
    target: Shape
    fits: bool
    lengths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A correspondence of tensors.

    axes: the shape test, and the transform itself where no other is named; a named transform gets it as its
    `pattern`. ratio: the shape test of a transform without axes. lengths: axes whose length only the graph
    knows (a Flatten's input).
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

    def joins(self, source: Shape, target: Shape, known: Mapping[str, int]) -> Transform | None:
        """The transform and its parameters where these shapes fit, else None.

        `known` must hold the rule's `lengths`.
        """
        if not self.axes:
            fits = prod(source) == self.ratio * prod(target)
            return (self.transform, dict(self.parameters)) if fits else None
        if not known.keys() >= set(self.lengths):
            return None
        pattern = expand(self.axes, source, target)
        lengths = solve(pattern, source, target, {name: known[name] for name in self.lengths})
        if lengths is None:
            return None
        needed = lengths if merges_or_drops(pattern) else {}
        if self.transform:
            return self.transform, {**self.parameters, "pattern": pattern, **needed}
        return ("" if is_identity(pattern) else pattern), needed


def load_rules(folders: Sequence[Path] = ()) -> tuple[Rule, ...]:
    """The shipped layout rules and those of the user's folders, by id.

    All problems of a folder are reported together.

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


def read_rule(path: Path) -> Rule:
    """One rule from one file. Raises RuleError with the file and the key at fault."""
    data = parsed(path)
    with faults_of(path):
        refuse(_problems(data))
        axes = data.get("axes", "")
        if axes:
            parse(expand(axes, tuple(range(8)), tuple(range(8))))
        return Rule(
            id=path.stem,
            path=str(path),
            summary=str(data["summary"]),
            source=_side(data["source"]),
            target=_side(data["target"]),
            axes=axes,
            transform=data.get("transform", ""),
            parameters=data.get("parameters", {}),
            ratio=float(data.get("ratio", 1)),
            lengths=tuple(data.get("lengths", ())),
            cases=tuple(_case(case) for case in data.get("case", ())),
        )


def _problems(data: Table) -> list[str]:
    problems = unknown_keys(data, KEYS, "the rule")
    for side in ("source", "target"):
        problems += unknown_keys(data[side], SIDE_KEYS, f"`{side}`")
    cases = data.get("case", ())
    for case in cases:
        problems += unknown_keys(case, CASE_KEYS, "a case")
    problems += one_sided(case["fits"] for case in cases)
    if not data.get("axes") and not data.get("transform"):
        problems.append("give `axes`, or a `transform`")
    return problems


def _side(data: Table) -> Side:
    return Side(tuple(data["framework"]), tuple(data["op"]), tuple(data["role"]), data.get("attributes", {}))


def _case(data: Table) -> Case:
    return Case(tuple(data["source"]), tuple(data["target"]), bool(data["fits"]), data.get("lengths", {}))


def failing_cases(rule: Rule) -> tuple[str, ...]:
    """What is wrong with the rule's own cases, one sentence each.

    Empty where all hold, forwards and backwards.
    """
    wrong = []
    for case in rule.cases:
        fits = rule.joins(case.source, case.target, case.lengths) is not None
        if fits != case.fits or (fits and not _returns(rule, case)):
            verb = "should fit" if case.fits else "should not fit"
            shapes = f"{list(case.source)} -> {list(case.target)}"
            wrong.append(f"{rule.id}: {shapes} {verb} {rule.axes or rule.transform!r}")
    return tuple(wrong)


def _returns(rule: Rule, case: Case) -> bool:
    """Whether the target's shape gives the source's again."""
    pattern = expand(rule.axes, case.source, case.target)
    return not pattern or solve(inverse(pattern), case.target, case.source, case.lengths) is not None
