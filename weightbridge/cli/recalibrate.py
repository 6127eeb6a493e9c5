"""weightbridge recalibrate: BatchNorm statistics from inputs."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import CALIBRATING, OVERWRITE, REPORTING, SOURCE_ARGUMENTS, with_options
from weightbridge.cli.running import run
from weightbridge.commands.recalibrate import recalibrate


@click.command(
    "recalibrate",
    cls=Command,
    example="weightbridge recalibrate mine.keras recalibrated.keras --calibrate inputs.npz",
)
@click.argument("model", type=MODEL)
@click.argument("output", type=FILE)
@with_options(CALIBRATING, OVERWRITE, SOURCE_ARGUMENTS, REPORTING)
def command(model: str, output: Path, **given: Any) -> int:
    """Write MODEL to OUTPUT with the mean and variance of every BatchNormalization computed from inputs.

    MODEL stays as it is, and so does every other weight. No labels are needed.
    """
    return run(
        "recalibrate", given, lambda options: recalibrate(model, output, options), (model, str(output))
    )
