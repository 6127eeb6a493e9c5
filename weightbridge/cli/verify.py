"""weightbridge verify: run both, compare outputs and layers."""

from typing import Any

import click

from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import MODEL
from weightbridge.cli.options import PROBING, REPORTING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, with_options
from weightbridge.cli.running import run
from weightbridge.commands.verify import verify


@click.command("verify", cls=Command, example="weightbridge verify trained.h5 filled.keras --evidence quick")
@click.argument("a", type=MODEL)
@click.argument("b", type=MODEL)
@with_options(PROBING, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(a: str, b: str, **given: Any) -> int:
    """Run A and B on the same probes and compare outputs and matched layers; --source-arg is for A,
    --target-arg for B.
    """
    return run("verify", given, lambda options: verify(a, b, options), (a, b))
