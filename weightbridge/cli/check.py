"""weightbridge check: match, plan and report."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import MODEL
from weightbridge.cli.options import PLANNING, REPORTING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, with_options
from weightbridge.cli.pairs import CONFIG, needed, run_pairs
from weightbridge.cli.running import run
from weightbridge.commands.check import check
from weightbridge.commands.pairs import check_pairs


@click.command(
    "check",
    cls=Command,
    example="weightbridge check trained.h5 mine.keras --report text --report json=check.json",
)
@click.argument("source", type=MODEL, required=False)
@click.argument("target", type=MODEL, required=False)
@CONFIG
@with_options(PLANNING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(source: str | None, target: str | None, config: Path | None, **given: Any) -> int:
    """Match SOURCE's tensors to TARGET's, plan the transfer and report.

    Reads headers only, writes no model. With --config all pairs of a policy are checked in one run.
    """
    if config is not None:
        return run_pairs("check", config, (source, target), given, check_pairs)
    needed(SOURCE=source, TARGET=target)
    models = str(source), str(target)
    return run("check", given, lambda options: check(*models, options), models)
