"""weightbridge rules: list, explain and test the matching rules, and explain the codes of findings."""

from pathlib import Path

import click

from weightbridge.cli.console import complain, show
from weightbridge.cli.options import FILE
from weightbridge.diagnostics import CODES
from weightbridge.errors import UsageError
from weightbridge.report.escape import visible
from weightbridge.report.explain import explain
from weightbridge.rules import Rule, failing_cases, load_rules

RULES = click.option("--rules", "folders", multiple=True, type=FILE, metavar="DIR", help="Rules of your own, beside the shipped ones.")


@click.group("rules")
def command() -> None:
    """The matching rules, yours included, and the codes of findings."""


@command.command("list")
@RULES
def list_rules(folders: tuple[Path, ...]) -> int:
    """Every rule and every code, one a line."""
    rules = [(rule.id, rule.summary) for rule in load_rules(folders)]
    codes = [(code.code, f"{code.name} ({code.severity}): {code.when}") for code in CODES.values()]
    width = max(len(name) for name, _ in rules)
    show("".join(f"{visible(name):<{width}}  {visible(text)}\n" for name, text in [*rules, *codes]))
    return 0


@command.command("show")
@click.argument("id")
@RULES
def show_rule(id: str, folders: tuple[Path, ...]) -> int:
    """One rule, with its file, or one code such as WB201: what it means and what to do."""
    if id.upper() in CODES:
        show(explain(id.upper()))
        return 0
    found = next((rule for rule in load_rules(folders) if rule.id == id), None)
    if found is None:
        raise UsageError(f"there is no rule and no code {id!r}", fix="`weightbridge rules list` names them")
    show(_described(found))
    return 0


@command.command("test")
@click.argument("folder", metavar="DIR", type=FILE)
def test_rules(folder: Path) -> int:
    """Run the cases inside the rules of DIR."""
    rules = [rule for rule in load_rules((folder,)) if folder.resolve() in Path(rule.path).resolve().parents]
    if not rules:
        raise UsageError("there are no rules here", where=str(folder), fix="Give a folder with .toml files")
    wrong = [problem for rule in rules for problem in failing_cases(rule)]
    for problem in wrong:
        complain(problem)
    show(f"{len(rules)} rules, {sum(len(rule.cases) for rule in rules)} cases, {len(wrong)} wrong\n")
    return 1 if wrong else 0


def _described(rule: Rule) -> str:
    lines = Path(rule.path).read_text(encoding="utf-8").splitlines()
    return "\n".join((visible(rule.id), visible(rule.path), "", *map(visible, lines))) + "\n"
