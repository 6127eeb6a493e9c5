"""weightbridge advise: how to train a model further."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import MODELS, REPORTING, SOURCE_ARGUMENTS, with_options
from weightbridge.cli.running import run
from weightbridge.commands.advise import advise


@click.command("advise", cls=Command, example="weightbridge advise mine.keras --data inputs.npz")
@click.argument("model", type=MODEL)
@option(
    "--data",
    "--calibrate",
    "data",
    type=FILE,
    metavar="D.npz",
    required=True,
    group=MODELS,
    help="Inputs `x`, batch first (or one array for each input by its name), and labels `y`.",
)
@with_options(SOURCE_ARGUMENTS, REPORTING)
def command(model: str, data: Path, **given: Any) -> int:
    """Score MODEL's features at each of its cuts (LogME, H-score, ridge probe) and say how to train it.

    The scores are information; the advice is the head first, then everything with small steps.
    """
    return run("advise", given, lambda options: advise(model, data, options), (model,))
