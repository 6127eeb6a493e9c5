"""weightbridge demo: the main job on an embedded example."""

from typing import Any

import click

from weightbridge.boundary.options import Options
from weightbridge.cli.console import complain, show
from weightbridge.cli.interface.command import Command
from weightbridge.cli.options import REPORTING, with_options
from weightbridge.cli.running import run
from weightbridge.commands import demo
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge


@click.command("demo", cls=Command, example="weightbridge demo --report json=demo.json")
@with_options(REPORTING)
def command(**given: Any) -> int:
    """Train a small ResNet on real handwritten digits.

    Transfer it to a renamed one, and to an Inception beside a fair control.
    """

    def demonstrated(options: Options) -> Report:
        shown = demo.demonstrate(complain, options)
        if not given["quiet"]:
            show(demo.text(shown) + "\n")
        return judge(shown.report, options)

    return run("demo", given, demonstrated, (), default=())
