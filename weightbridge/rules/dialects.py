"""Dialect rules (rules/dialects/*.toml): what Keras 1, 2 and tf.keras wrote, in today's terms.

A rule has `summary`, `versions` (`<3`, `>=2,<2.3`), `code` (WB102 or WB103), `cause`, `fix`, `match`,
`normalise` and `case` tables. It is for a class, an attribute or a structure, never for one model.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.errors.diagnostics import CODES
from weightbridge.rules.folders import Folders, rules_folder
from weightbridge.rules.reading import (
    Table,
    faults_of,
    one_sided,
    parsed,
    refuse,
    unknown_keys,
    user_files,
)

KEYS = frozenset({"summary", "versions", "code", "cause", "fix", "match", "normalise", "case"})
NEEDED = ("summary", "versions", "code", "cause", "fix", "match", "case")
MATCH_KEYS = frozenset(
    {
        "class",
        "has",
        "lacks",
        "where",
        "either",
        "listed",
        "several",
        "trait",
        "backend",
        "weights",
        "unless_class",
        "unless_trait",
        "inside",
    }
)
NORMALISE_KEYS = frozenset({"classes", "class_by", "rename", "collect", "values", "set", "drop"})
CASE_KEYS = frozenset({"matches", "version", "backend", "layer", "becomes", "weights"})


@dataclass(frozen=True, slots=True)
class Dialect:
    """One rule. match and normalise are the TOML tables, checked."""

    id: str
    summary: str
    versions: str
    code: str
    cause: str
    fix: str
    match: Mapping[str, Any]
    normalise: Mapping[str, Any]
    cases: tuple[Mapping[str, Any], ...]


@cache
def dialects(folders: Folders = ()) -> tuple[Dialect, ...]:
    """The shipped rules, by id, then the user's. Raises RuleError for a file that is wrong."""
    shipped = sorted((rules_folder() / "dialects").glob("*.toml"))
    return tuple(read_dialect(path) for path in (*shipped, *user_files(folders, "dialect")))


@cache
def lowerings() -> tuple[Dialect, ...]:
    """The shipped rules for layers that Keras 3 has under another name (rules/lowering), by id."""
    return tuple(map(read_dialect, sorted((rules_folder() / "lowering").glob("*.toml"))))


def read_dialect(path: Path) -> Dialect:
    """One rule from one file, checked whole. Raises RuleError with the file and the keys at fault."""
    data = parsed(path)
    with faults_of(path):
        refuse(_problems(data))
        texts = {key: data[key] for key in ("summary", "versions", "code", "cause", "fix")}
        normalise = data.get("normalise", {})
        return Dialect(
            id=path.stem, **texts, match=data["match"], normalise=normalise, cases=tuple(data["case"])
        )


def _problems(data: Table) -> list[str]:
    cases = data.get("case", ())
    problems = unknown_keys(data, KEYS, "the rule")
    problems += [f"the key {key!r} is missing" for key in NEEDED if not data.get(key)]
    problems += unknown_keys(data.get("match", {}), MATCH_KEYS, "`match`")
    problems += unknown_keys(data.get("normalise", {}), NORMALISE_KEYS, "`normalise`")
    for case in cases:
        problems += unknown_keys(case, CASE_KEYS, "a case")
    problems += one_sided(case.get("matches") for case in cases)
    if data.get("code") not in CODES:
        problems.append(f"unknown code {data.get('code')}")
    return problems


def admits(versions: str, version: tuple[int, ...]) -> bool:
    """Whether a version is in a range such as `>=2,<2.3`."""
    return all(_compares(part.strip(), version) for part in versions.split(","))


def version_of(text: Any) -> tuple[int, ...]:
    """The numbers of `2.2.4-tf`; () for no version."""
    numbers: list[int] = []
    for part in str(text or "").split("-")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _compares(test: str, version: tuple[int, ...]) -> bool:
    sign = test.rstrip("0123456789.")
    bound = version_of(test[len(sign) :])
    match sign:
        case "<":
            return version < bound
        case ">=":
            return version >= bound
        case _:
            return test == "*"
