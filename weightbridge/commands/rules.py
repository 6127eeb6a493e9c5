"""All rule files, whatever their kind: what each is about, and what is wrong with its own cases."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from weightbridge.boundary.records import dataclass
from weightbridge.errors import UsageError
from weightbridge.rules.folders import rules_folder, with_rules
from weightbridge.rules.reading import Kind, faults_of, kind_of, parsed


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule's id (the stem of its file), its path, its summary and what it is about."""

    id: str
    path: Path
    summary: str
    kind: Kind


def rule_files(folders: Iterable[Path] = ()) -> tuple[RuleFile, ...]:
    """The shipped rules and those of the user's folders, by id.

    Raises RuleError for a file that is no TOML or has no summary.
    """
    paths = [path for folder in (rules_folder(), *folders) for path in folder.glob("**/*.toml")]
    rules = map(_rule_file, paths)
    return tuple(sorted(rules, key=lambda rule: (rule.id, str(rule.path))))


def _rule_file(path: Path) -> RuleFile:
    data = parsed(path)
    with faults_of(path):
        summary = str(data["summary"])
    return RuleFile(path.stem, path, summary, kind_of(data))


@contextmanager
def rules_of(folders: Sequence[Path]) -> Iterator[None]:
    """Inside, the user's rules of all kinds count.

    Raises RuleError for wrong ones, even where none is needed.
    """
    with with_rules(folders):
        if folders:
            from weightbridge.rules.dialects import dialects  # most have no rules of their own
            from weightbridge.rules.names import name_rules

            dialects(tuple(folders))
            name_rules(tuple(folders))
        yield


@dataclass(frozen=True, slots=True)
class Tested:
    """How many rules and cases a folder has, and one sentence for each case that does not hold."""

    rules: int
    cases: int
    problems: tuple[str, ...]


def tested(folder: Path) -> Tested:
    """Runs the cases inside the rules below a folder.

    Raises UsageError where there are none, RuleError for a wrong file.
    """
    files = [rule for rule in rule_files((folder,)) if folder.resolve() in rule.path.resolve().parents]
    if not files:
        raise UsageError("there are no rules here", where=str(folder), fix="Give a folder with .toml files")
    distinct = {rule.path.resolve(): rule for rule in files}
    with with_rules((folder,)):
        results = [_tested(rule) for rule in distinct.values()]
    return Tested(
        len(results),
        sum(n for n, _ in results),
        tuple(problem for _, problems in results for problem in problems),
    )


def _tested(rule: RuleFile) -> tuple[int, tuple[str, ...]]:
    if rule.kind == "dialect":
        from weightbridge.formats.keras.architecture import (
            dialect_cases,
        )  # loads numpy, which `rules list` does without

        return dialect_cases.tested(rule.path)
    if rule.kind == "mapping":
        from weightbridge.rules.mappings import failing_mapping_cases, read_mapping

        mapping = read_mapping(rule.path)
        return len(mapping.cases), failing_mapping_cases(mapping)
    if rule.kind == "name":
        from weightbridge.rules.names import failing_name_cases, read_name_rule

        named = read_name_rule(rule.path)
        return len(named.cases), failing_name_cases(named)
    from weightbridge.rules.layouts import failing_cases, read_rule

    found = read_rule(rule.path)
    return len(found.cases), failing_cases(found)
