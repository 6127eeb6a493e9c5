"""weightbridge report: a saved report, rendered or judged again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from weightbridge.boundary.options import Options
from weightbridge.cli.interface.command import Command
from weightbridge.cli.interface.kinds import FILE
from weightbridge.cli.options import REPORTING, with_options
from weightbridge.cli.running import run
from weightbridge.report.load import load_report
from weightbridge.report.pairs import PairsReport
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge


@click.command("report", cls=Command, example="weightbridge report check.json --report markdown=check.md")
@click.argument("saved", metavar="REPORT.json", type=FILE)
@with_options(REPORTING)
def command(saved: Path, **given: Any) -> int:
    """Render a saved JSON report, or judge it again under --policy and --fail-on. Runs no model."""

    if given["rules"]:
        raise click.UsageError("--rules: the models of a saved report are not matched again")

    def again(options: Options) -> Report | PairsReport:
        report = load_report(saved)
        if isinstance(report, PairsReport):
            return replace(report, reports=tuple(judge(one, options) for one in report.reports))
        return judge(report, options)

    return run("report", given, again, (str(saved),))
