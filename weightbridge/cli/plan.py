"""weightbridge plan: check, and write the plan."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import (
    OVERWRITE,
    PLANNING,
    REPORTING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    with_options,
)
from weightbridge.cli.running import run
from weightbridge.commands.plan import plan


@click.command("plan", cls=Command, example="weightbridge plan trained.h5 mine.keras plan.json")
@click.argument("source", type=MODEL)
@click.argument("target", type=MODEL)
@click.argument("output", metavar="PLAN.json", type=FILE)
@option(
    "--save-rule",
    type=FILE,
    metavar="FILE.toml",
    group="The output",
    help="Also save what the plan is sure of as a rule, for --rules.",
)
@with_options(PLANNING, OVERWRITE, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(source: str, target: str, output: Path, save_rule: Path | None, **given: Any) -> int:
    """Check, and write the plan to PLAN.json: reviewable and editable, with the hashes of both models."""
    return run(
        "plan",
        given,
        lambda options: plan(source, target, output, options, save_rule),
        (source, target, str(output)),
    )
