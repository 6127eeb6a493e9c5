"""weightbridge plan: check, and write the plan."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import (
    OVERWRITE,
    PAIRS,
    PLANNING,
    REPORTING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    with_options,
)
from weightbridge.cli.pairs import CONFIG, needed, run_pairs
from weightbridge.cli.running import run
from weightbridge.commands.pairs import locked_pairs, plan_pairs
from weightbridge.commands.plan import plan


@click.command("plan", cls=Command, example="weightbridge plan trained.h5 mine.keras plan.json")
@click.argument("source", type=MODEL, required=False)
@click.argument("target", type=MODEL, required=False)
@click.argument("output", metavar="PLAN.json", type=FILE, required=False)
@CONFIG
@option(
    "--locked",
    is_flag=True,
    group=PAIRS,
    help="With --config: write nothing, fail where a plan is about other models than are there.",
)
@option(
    "--save-rule",
    type=FILE,
    metavar="FILE.toml",
    group="The output",
    help="Also save what the plan is sure of as a rule, for --rules.",
)
@with_options(PLANNING, OVERWRITE, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(
    source: str | None,
    target: str | None,
    output: Path | None,
    config: Path | None,
    locked: bool,
    save_rule: Path | None,
    **given: Any,
) -> int:
    """Check, and write the plan to PLAN.json: reviewable and editable, with the hashes of both models.

    With --config the plans of all pairs of a policy are written; with --locked too, they are held against the
    models.
    """
    if config is not None:
        return run_pairs(
            "plan", config, (source, target, output, save_rule), given, locked_pairs if locked else plan_pairs
        )
    if locked:
        raise click.UsageError("--locked goes with --config, whose pairs name their plans")
    needed(**{"SOURCE": source, "TARGET": target, "PLAN.json": output})
    return _planned(str(source), str(target), Path(str(output)), save_rule, given)


def _planned(source: str, target: str, output: Path, rule: Path | None, given: dict[str, Any]) -> int:
    models = source, target, str(output)
    return run("plan", given, lambda options: plan(source, target, output, options, rule), models)
