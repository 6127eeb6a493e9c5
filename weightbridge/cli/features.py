"""weightbridge features: a model cut at a layer."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import OVERWRITE, REPORTING, SOURCE_ARGUMENTS, with_options
from weightbridge.cli.running import run
from weightbridge.commands.features import features_report


@click.command("features", cls=Command, example="weightbridge features mine.keras neck features.keras")
@click.argument("model", type=MODEL)
@click.argument("layer")
@click.argument("output", type=FILE)
@with_options(OVERWRITE, SOURCE_ARGUMENTS, REPORTING)
def command(model: str, layer: str, output: Path, **given: Any) -> int:
    """Cut MODEL at LAYER and write what is before it to OUTPUT, as a feature extractor.

    `weightbridge inspect` lists the layers.
    """
    return run(
        "features",
        given,
        lambda options: features_report(model, layer, output, options),
        (model, str(output)),
    )
