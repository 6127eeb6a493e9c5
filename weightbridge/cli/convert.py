"""weightbridge convert: the same model in another format or dialect."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL
from weightbridge.cli.options import (
    MODELS,
    OVERWRITE,
    PROBING,
    PROOF,
    REPORTING,
    SOURCE_ARGUMENTS,
    with_options,
)
from weightbridge.cli.running import run
from weightbridge.commands.convert import convert


@click.command("convert", cls=Command, example="weightbridge convert trained.h5 converted.keras")
@click.argument("model", type=MODEL)
@click.argument("output", type=FILE)
@option(
    "--architecture",
    type=FILE,
    metavar="MODEL",
    group=MODELS,
    help="Where MODEL holds weights alone: the file with its architecture (JSON, .h5 or .keras).",
)
@with_options(PROBING, OVERWRITE, SOURCE_ARGUMENTS)
@option("--no-verify", is_flag=True, group=PROOF, help="Read OUTPUT back, but run no model.")
@with_options(REPORTING)
def command(model: str, output: Path, **given: Any) -> int:
    """Write MODEL, of Keras 1, 2 or tf.keras, as a Keras 3 model: OUTPUT ends with .keras.

    MODEL stays as it is. OUTPUT loads in Keras alone and computes what MODEL computed when it was saved.
    """
    return run("convert", given, lambda options: convert(model, output, options), (model, str(output)))
