"""weightbridge inspect: the layer graph, as a report or as a picture."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from weightbridge.boundary.options import Options
from weightbridge.cli.console import note_written, show
from weightbridge.cli.interface.command import Command, option
from weightbridge.cli.interface.kinds import FILE, MODEL, OneOf
from weightbridge.cli.options import REPORTING, SOURCE_ARGUMENTS, with_options
from weightbridge.cli.running import TEXT, run
from weightbridge.cli.writing import check_writable, write_atomically
from weightbridge.commands.inspect import inspect
from weightbridge.report.values import Report

VIEWS: dict[str, str] = {
    "text": "weightbridge.views.text",
    "json": "weightbridge.views.json",
    "dot": "weightbridge.views.dot",
    "svg": "weightbridge.views.svg",
}


@click.command("inspect", cls=Command, example="weightbridge inspect trained.h5 --output trained.svg")
@click.argument("model", type=MODEL)
@option(
    "--format",
    "view",
    type=OneOf(tuple(VIEWS)),
    group="The output",
    help="The graph alone, in this form. [default: by --output's suffix]",
)
@option(
    "--output",
    type=FILE,
    metavar="FILE",
    group="The output",
    help="Where the graph goes. [default: standard output]",
)
@with_options(SOURCE_ARGUMENTS, REPORTING)
def command(model: str, view: str | None, output: Path | None, **given: Any) -> int:
    """The layers of MODEL with tensors, shapes, dtypes, format, version and findings. Reads headers only.

    With --format or --output the graph itself is written, and a report only where --report asks for one.
    """
    form = view or _form_of(output)
    if output is not None:
        check_writable(output, (model,))

    def inspected(options: Options) -> Report:
        report = inspect(model, options)
        if form and report.graph is not None:
            _draw(form, report.graph, output)
        return report

    return run("inspect", given, inspected, (model,), default=() if form else TEXT)


def _form_of(output: Path | None) -> str | None:
    if output is None:
        return None
    form = {"txt": "text"}.get(output.suffix[1:], output.suffix[1:])
    if form not in VIEWS:
        raise click.UsageError(
            f"--output {output}: its suffix is no form of a graph; add --format {'|'.join(VIEWS)}"
        )
    return form


def _draw(form: str, graph: Mapping[str, Any], output: Path | None) -> None:
    render: Callable[[Mapping[str, Any]], str] = import_module(VIEWS[form]).render
    if output is None:
        show(render(graph))
    else:
        write_atomically(output, render(graph))
        note_written(output)
