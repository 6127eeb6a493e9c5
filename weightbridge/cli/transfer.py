"""weightbridge transfer: plan, write, read back, verify."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import (
    OVERWRITE,
    PLANNING,
    PROBING,
    PROOF,
    REPORTING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    with_options,
)
from weightbridge.cli.running import run
from weightbridge.commands.transfer import transfer


@click.command("transfer", cls=Command, example="weightbridge transfer trained.h5 mine.keras filled.keras")
@click.argument("source", type=MODEL)
@click.argument("target", type=MODEL)
@click.argument("output", type=FILE)
@with_options(PLANNING, PROBING, OVERWRITE, SOURCE_ARGUMENTS, TARGET_ARGUMENTS)
@option("--no-verify", is_flag=True, group=PROOF, help="Read OUTPUT back, but run no model.")
@with_options(REPORTING)
def command(source: str, target: str, output: Path, **given: Any) -> int:
    """Put SOURCE's weights into TARGET and write that to OUTPUT, whose suffix chooses the format.

    SOURCE and TARGET stay as they are.
    """
    return run(
        "transfer",
        given,
        lambda options: transfer(source, target, output, options),
        (source, target, str(output)),
    )
