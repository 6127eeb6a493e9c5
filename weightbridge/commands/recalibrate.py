"""recalibrate: BatchNorm statistics computed from inputs, in a file or a live model; all else stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.features import SUFFIXES, live_model
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.reporting import asked_for, file_entry, is_wanted, summary
from weightbridge.commands.stages.statistics import Recalibrated, recalibrated
from weightbridge.errors import UsageError
from weightbridge.formats.frameworks import framework_module
from weightbridge.model.graph import LayerGraph
from weightbridge.report.policy import with_policy
from weightbridge.report.values import Report
from weightbridge.report.verdict import judge
from weightbridge.report.verification import Verification
from weightbridge.transfer.digests import digest_texts
from weightbridge.transfer.stage import check_output, publish, staged
from weightbridge.transfer.write import assign, write_values


def recalibrate(model: Any, output: Path, options: Options) -> Report:
    """MODEL's copy in OUTPUT, with other statistics; OUTPUT appears only where nothing stands against it."""
    check_output(output, options.overwrite, (model,), SUFFIXES)
    options = with_policy(options)
    is_code = isinstance(model, str) and model.startswith("py:")
    live = live_model(model, options.source_arguments, "run") if is_code else model
    with rules_of(options.rules), staged(output) as temporary:
        with formats.template_of(live, output) as template:
            running = live_model(live, None, "run")
            made = recalibrated(running, template.target, options.calibrate, options.progress)
            written, digests = write_values(template.file, temporary, made.pairs(template.file))
            named = replace(template.target, path=_name(model))
        report = replace(_report(named, made, options), digests=digest_texts(digests))
        if is_wanted(report, options):
            target = replace(summary(written), path=str(output))
            report = replace(report, target=target, wrote=file_entry(temporary, output))
            publish(temporary, output)
    return asked_for(report, output)


def recalibrate_live(model: Any, options: Options) -> Report:
    """The same in place, all or nothing; the optimizer is left alone."""
    if options.overwrite:
        raise UsageError(
            "overwrite=True goes with an output, and without one the live model takes the values",
            fix="leave it out, or give output=PATH",
        )
    options = with_policy(options)
    live = framework_module("weightbridge.formats.keras.framework.live")
    with rules_of(options.rules), live.restored_on_failure(model) as keep:
        graph = live.read(model)
        made = recalibrated(model, graph, options.calibrate, options.progress)
        digests = assign(model, made.pairs(graph))
        report = replace(_report(graph, made, options), digests=digest_texts(digests))
        if is_wanted(report, options):
            keep()
    return report


def _report(graph: LayerGraph, made: Recalibrated, options: Options) -> Report:
    layers, tensors = len(made.changes), len(made.values)
    strength = f"{layers:,} layers recalibrated, {tensors:,} tensors set; all others are MODEL's, bit for bit"
    evidence = {"strength": strength, "recalibrated": list(made.changes), "read_back": tensors}
    verification = Verification("recalibrated", evidence=evidence)
    findings = (*graph.findings, *made.findings)
    report = Report("recalibrate", "pass", summary(graph), findings=findings, verification=verification)
    return judge(report, options)


def _name(model: Any) -> str:
    return str(model) if isinstance(model, str | Path) else str(getattr(model, "name", "model"))
