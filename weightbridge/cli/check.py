"""weightbridge check: match, plan and report."""

from typing import Any

import click

from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import MODEL
from weightbridge.cli.options import PLANNING, REPORTING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, with_options
from weightbridge.cli.running import run
from weightbridge.commands.check import check


@click.command(
    "check",
    cls=Command,
    example="weightbridge check trained.h5 mine.keras --report text --report json=check.json",
)
@click.argument("source", type=MODEL)
@click.argument("target", type=MODEL)
@with_options(PLANNING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(source: str, target: str, **given: Any) -> int:
    """Match SOURCE's tensors to TARGET's, plan the transfer and report.

    Reads headers only, writes no model.
    """
    return run("check", given, lambda options: check(source, target, options), (source, target))
