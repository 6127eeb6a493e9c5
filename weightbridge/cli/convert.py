"""weightbridge convert: the same model in another format or dialect."""

from pathlib import Path
from typing import Any

import click

from weightbridge.cli.options import FILE, OVERWRITE, PROBING, REPORTING, SOURCE_ARGUMENTS, with_options
from weightbridge.cli.running import run


@click.command("convert")
@click.argument("model")
@click.argument("output", type=FILE)
@with_options(PROBING, OVERWRITE, SOURCE_ARGUMENTS)
@click.option("--no-verify", is_flag=True, help="Read OUTPUT back, but run no model.")
@with_options(REPORTING)
def command(model: str, output: Path, **given: Any) -> int:
    """Write MODEL, of Keras 1, 2 or tf.keras, as a Keras 3 model: OUTPUT ends with .keras.

    MODEL stays as it is. OUTPUT loads in Keras alone and computes what MODEL computed when it was saved.
    """
    from weightbridge.commands.convert import convert  # what other commands do not need

    return run("convert", given, lambda options: convert(model, output, options), (model, str(output)))
