"""inspect: what a model is made of; headers only."""

from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.older import with_conversion
from weightbridge.commands.stages.reporting import summary
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.views.json import graph_to_json


def inspect(model: Any, options: Options) -> Report:
    """The report with the layer graph of a model."""
    with rules_of(options.rules):
        graph = formats.read(model, options.source_arguments)
    drawn = graph_to_json(graph)
    report = Report("inspect", "pass", source=summary(graph), findings=with_conversion(graph), graph=drawn)
    return judge(report, options)
