"""weightbridge plan: check, and write the plan."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.options import (
    FILE,
    OVERWRITE,
    PLANNING,
    REPORTING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    with_options,
)
from weightbridge.cli.running import run
from weightbridge.commands.plan import plan


@click.command("plan")
@click.argument("source")
@click.argument("target")
@click.argument("output", metavar="PLAN.json", type=FILE)
@click.option(
    "--save-rule",
    type=FILE,
    metavar="FILE.toml",
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
