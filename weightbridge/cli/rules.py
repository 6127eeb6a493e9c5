"""weightbridge rules: list, explain and test the matching rules, and explain the codes of findings."""

from pathlib import Path

import click

from weightbridge.boundary.words import did_you_mean
from weightbridge.cli.console import complain, show
from weightbridge.cli.interface.command import Command, Group, option
from weightbridge.cli.interface.kinds import CODE, FOLDER
from weightbridge.commands.rules import RuleFile, rule_files, tested
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.escape import visible
from weightbridge.report.explain import explain

RULES = option(
    "--rules",
    "folders",
    multiple=True,
    type=FOLDER,
    metavar="DIR",
    help="Rules of your own, beside the shipped ones.",
)


@click.group("rules", cls=Group)
def command() -> None:
    """The matching rules, yours included, and the codes of findings."""


@command.command("list", cls=Command, example="weightbridge rules list")
@RULES
def list_rules(folders: tuple[Path, ...]) -> int:
    """Every rule and every code, one a line."""
    rules = [(rule.id, rule.summary) for rule in rule_files(_existing(folders))]
    codes = [(code.code, f"{code.name} ({code.severity}): {code.when}") for code in CODES.values()]
    width = max(len(name) for name, _ in rules)
    show("".join(f"{visible(name):<{width}}  {visible(text)}\n" for name, text in [*rules, *codes]))
    return 0


@command.command("show", cls=Command, example="weightbridge rules show WB204")
@click.argument("id", type=CODE)
@RULES
def show_rule(id: str, folders: tuple[Path, ...]) -> int:
    """One rule, with its file, or one code such as WB201: what it means and what to do."""
    if id.upper() in CODES:
        show(explain(id.upper()))
        return 0
    found = next((rule for rule in rule_files(_existing(folders)) if rule.id == id), None)
    if found is None:
        known = (*CODES, *(rule.id for rule in rule_files(_existing(folders))))
        fix = f"{did_you_mean(id, known).strip()} `weightbridge rules list` names them all".strip()
        raise UsageError(f"there is no rule and no code {id!r}", fix=fix)
    show(_described(found))
    return 0


@command.command("test", cls=Command, example="weightbridge rules test rules")
@click.argument("folder", metavar="DIR", type=FOLDER)
def test_rules(folder: Path) -> int:
    """Run the cases inside the rules of DIR."""
    result = tested(folder)
    for problem in result.problems:
        complain(problem)
    show(f"{result.rules} rules, {result.cases} cases, {len(result.problems)} wrong\n")
    return 1 if result.problems else 0


def _existing(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                "no such folder of rules", where=str(folder), fix="Give --rules a folder with .toml files"
            )
    return folders


def _described(rule: RuleFile) -> str:
    lines = rule.path.read_text(encoding="utf-8").splitlines()
    return "\n".join((visible(rule.id), visible(str(rule.path)), "", *map(visible, lines))) + "\n"
