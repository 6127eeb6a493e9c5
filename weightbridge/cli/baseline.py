"""weightbridge baseline: accept findings with a reason, take out what no longer applies, name additions."""

from pathlib import Path
from typing import Any

import click

from weightbridge.boundary.options import Options
from weightbridge.cli.console import complain, show
from weightbridge.cli.interface.command import Command, Group, option
from weightbridge.cli.interface.kinds import CODE, MODEL
from weightbridge.cli.options import (
    PLANNING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    judging,
    options_from,
    with_options,
)
from weightbridge.commands.baseline import Because, Changed, add, added, prune
from weightbridge.commands.stages.revisions import text_of
from weightbridge.errors.diagnostics import CODES
from weightbridge.report.baseline import Accepted, load_baseline, loads
from weightbridge.report.escape import visible
from weightbridge.report.policy import Pair, find_policy, load_policy
from weightbridge.report.words import counted

NAME = "weightbridge-baseline.json"
SHOWN = 20  # entries that are named
WHY = "What is accepted, and why"
ENTRIES = ("entry", "entries")
WHERE = judging("Its pairs and its baseline.", f"The accepted findings. [default: the policy's, else {NAME}]")


@click.group("baseline", cls=Group)
def command() -> None:
    """The findings that are accepted, each with a reason: a file that may only shrink."""


@command.command(
    "add",
    cls=Command,
    example="weightbridge baseline add trained.h5 mine.keras --code WB206 --reason 'the new names are meant'",
)
@click.argument("source", type=MODEL)
@click.argument("target", type=MODEL)
@option(
    "--code",
    required=True,
    type=CODE,
    metavar="CODE",
    group=WHY,
    help="All findings of this code are accepted.",
)
@option("--reason", required=True, metavar="TEXT", group=WHY, help="Why they are right as they are.")
@option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    group=WHY,
    help="The last day, as 2027-06-30.",
)
@with_options(PLANNING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, WHERE)
def add_entries(source: str, target: str, code: str, reason: str, until: Any, **given: Any) -> int:
    """Accept the findings of a code between SOURCE and TARGET.

    Where a [[pair]] of the policy has these models, under its name and with its options.
    """
    options, pairs = _asked(given)
    pair = next((one for one in pairs if (one.source, one.target) == _normal(source, target)), None)
    why = Because(_code(code), reason, until and until.date())
    file = _file(options)
    changed = add(source, target, why, file, options, pair)
    _tell("accepted", changed, file)
    return 0


@command.command("prune", cls=Command, example="weightbridge baseline prune trained.h5 mine.keras")
@click.argument("source", type=MODEL, required=False)
@click.argument("target", type=MODEL, required=False)
@with_options(WHERE)
def prune_entries(source: str | None, target: str | None, **given: Any) -> int:
    """Take out the entries that no longer apply; nothing is ever added.

    Checks the pairs of the policy and those that are called after their files; with SOURCE and TARGET that
    pair alone.
    """
    if (source is None) != (target is None):
        raise click.UsageError("give both SOURCE and TARGET, or neither")
    options, pairs = _asked(given)
    file, is_all = _file(options), source is None and bool(pairs)
    if source is not None and target is not None:
        own = (one for one in pairs if (one.source, one.target) == _normal(source, target))
        pairs = (next(own, Pair(f"{source}:{target}", source, target)),)
    changed = prune(file, pairs, is_all, options)
    _tell("removed", changed, file)
    for text in changed.untold:
        complain(f"its entries stay: {text}")
    return 4 if changed.untold else 0


@command.command("check", cls=Command, example="weightbridge baseline check --against before.json")
@option(
    "--against",
    required=True,
    metavar="[REVISION:]FILE",
    group=WHY,
    help="What it was: a file, or one of a git revision, such as origin/main:weightbridge-baseline.json.",
)
@with_options(WHERE)
def check_entries(against: str, **given: Any) -> int:
    """Fail where an entry was added, or holds for longer than it did."""
    options, _ = _asked(given)
    file = _file(options)
    text = text_of(against)
    before = loads(text, against) if text.strip() else ()
    new = added(load_baseline(file, is_optional=True), before)
    show(f"{_number(len(new))} added to {visible(str(file))} since {visible(against)}\n")
    _name(new)
    return 1 if new else 0


def _asked(given: dict[str, Any]) -> tuple[Options, tuple[Pair, ...]]:
    policy = given["policy"] or find_policy()
    pairs = () if policy is None else load_policy(policy).pairs
    return options_from({**given, "policy": policy}), pairs


def _file(options: Options) -> Path:
    return options.baseline or Path(NAME)


def _normal(*paths: str) -> tuple[str, ...]:
    return tuple(text if text.startswith("py:") else str(Path(text)) for text in paths)


def _code(text: str) -> str:
    if text.upper() not in CODES:
        raise click.UsageError(f"--code {text}: there is no such code; `weightbridge rules list` has all")
    return text.upper()


def _tell(what: str, changed: Changed, file: Path) -> None:
    show(f"{_number(len(changed.entries))} {what}; {visible(str(file))} has {changed.total:,}\n")
    _name(changed.entries)


def _name(entries: tuple[Accepted, ...]) -> None:
    for one in entries[:SHOWN]:
        place = " <- ".join(name for name in (one.target, one.source) if name)
        show(f"  {visible(f'{one.pair} {one.code} {place}: {one.reason}')}\n")
    if len(entries) > SHOWN:
        show(f"  and {len(entries) - SHOWN:,} more\n")


def _number(count: int) -> str:
    return counted(count, *ENTRIES)
