"""advise: how to train a model further, from what its features at each cut tell of labels."""

from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.advising.advice import advice, said, scored
from weightbridge.commands.advising.cuts import cut_points
from weightbridge.commands.advising.features import INPUT, features_at
from weightbridge.commands.advising.labels import labels_of
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.reporting import summary
from weightbridge.errors import UsageError
from weightbridge.formats.calibration import calibration
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification

LEAST = 10  # inputs: with fewer, no fold of five holds two


def advise(model: Any, data: Any, options: Options) -> Report:
    """The scores of every cut, and what follows from them; one forward pass over the inputs."""
    options = with_policy(options)
    with rules_of(options.rules):
        graph = formats.read(model, options.source_arguments)
        cuts = cut_points(graph)
        runner = formats.runner(model, arguments=options.source_arguments)
        given = calibration(data, runner.inputs)
        where = str(data) if isinstance(data, str | Path) else "data"
        if given.count < LEAST:
            raise UsageError(
                f"{given.count} inputs, expected {LEAST} or more", where=where, fix="Give 50 or more"
            )
        labels = labels_of(given.labels, where)
        features = features_at(runner, graph, given.inputs, cuts, options.progress)
    names = (INPUT, *(cut for cut in cuts if cut in features))
    records = []
    for n, name in enumerate(names):
        options.progress("scoring features", n, len(names))
        records.append(scored(name, features[name], labels))
    found = advice(graph, records, labels, given.count)
    strength = (
        f"{len(records) - 1} cuts scored on {given.count:,} inputs, each probe on inputs held out from it"
    )
    verification = Verification("advised", evidence={"strength": strength, "advice": found})
    findings = (*graph.findings, *said(found))
    return judge(
        Report("advise", "pass", summary(graph), findings=findings, verification=verification), options
    )
