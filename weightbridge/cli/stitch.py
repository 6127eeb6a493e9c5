"""weightbridge stitch: the trunk of one model under the tail of another."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import (
    OVERWRITE,
    REPORTING,
    SOURCE_ARGUMENTS,
    TARGET_ARGUMENTS,
    with_options,
)
from weightbridge.cli.running import run
from weightbridge.commands.stitch import stitch_report


@click.command(
    "stitch", cls=Command, example="weightbridge stitch trained.h5 conv2d_2 mine.keras neck stitched.keras"
)
@click.argument("source", type=MODEL)
@click.argument("at")
@click.argument("target", type=MODEL)
@click.argument("from_", metavar="FROM")
@click.argument("output", type=FILE)
@option(
    "--after",
    is_flag=True,
    group="The output",
    help="Begin behind FROM, the last layer of a block, not at it.",
)
@option(
    "--calibrate",
    type=FILE,
    metavar="D.npz",
    group="The output",
    help="Inputs `x` that both models take: the adapter's channels are fitted on them by least squares.",
)
@with_options(OVERWRITE, SOURCE_ARGUMENTS, TARGET_ARGUMENTS, REPORTING)
def command(source: str, at: str, target: str, from_: str, output: Path, after: bool, **given: Any) -> int:
    """Join SOURCE up to layer AT with TARGET from layer FROM on by a trainable adapter, and write that to
    OUTPUT, an ordinary .keras model. `weightbridge inspect` lists the layers.
    """
    return run(
        "stitch",
        given,
        lambda options: stitch_report(source, at, target, from_, output, options, is_after=after),
        (source, target, str(output)),
    )
