"""weightbridge convert: the same model in another format or dialect."""

from pathlib import Path
from typing import Any, get_args

import click

from weightbridge.boundary.options import DEFAULT_OPSET, NEWEST_OPSET, OLDEST_OPSET, Engine, InputLayout
from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL, OneOf
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

ONNX = "An ONNX file"
KERAS = "From ONNX to Keras"


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
@option(
    "--engine",
    type=OneOf(get_args(Engine)),
    group=ONNX,
    help="Who writes it: `own`, or `tf2onnx` (needs TensorFlow) for layers that `own` does not know.",
)
@option(
    "--input-layout",
    type=OneOf(get_args(InputLayout)),
    group=ONNX,
    help="Images with channels last as in Keras, or first (`nchw`); of a Keras model from ONNX, as the file "
    "has them. [default: nhwc]",
)
@option(
    "--opset",
    type=click.IntRange(OLDEST_OPSET, NEWEST_OPSET),
    metavar="N",
    group=ONNX,
    help=f"The version of ONNX's operators. [default: {DEFAULT_OPSET}]",
)
@option(
    "--input-shape",
    multiple=True,
    metavar="N,N,...",
    group=MODELS,
    help="Of a torch module without an example: the shape of an input, batch first. Repeatable.",
)
@option(
    "--dequantize",
    is_flag=True,
    group=KERAS,
    help="The floats of a quantised model are wanted, with what quantising has lost.",
)
@with_options(PROBING, OVERWRITE, SOURCE_ARGUMENTS)
@option("--no-verify", is_flag=True, group=PROOF, help="Read OUTPUT back, but run no model.")
@with_options(REPORTING)
def command(model: str, output: Path, **given: Any) -> int:
    """Write MODEL as Keras 3 (OUTPUT ends with .keras or .h5) or as ONNX (.onnx), and compare the two.

    MODEL stays as it is. OUTPUT loads elsewhere and computes what MODEL computed when it was saved.
    py:module:callable may return a torch.nn.Module, or (module, example_inputs).
    """
    return run("convert", given, lambda options: convert(model, output, options), (model, str(output)))
