"""plan: match and plan, read all values once (hashes, energies, NaN), and write the plan file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.files import write_text
from weightbridge.boundary.options import Options
from weightbridge.commands.fits.fit import fitted
from weightbridge.commands.stages.idle import refuse_uncarried
from weightbridge.commands.stages.prepare import measured, prepare
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.reporting import file_entry, judged
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.mapping_text import mapping_of
from weightbridge.report.values import Report


def plan(source: Any, target: Any, output: Path, options: Options, rule: Path | None = None) -> Report:
    """Write the plan to `output`, whatever was found: a plan with errors is there to be edited.

    rule: where to save what the plan is sure of, for the next model of the family.
    """
    refuse_uncarried(options)
    prepared = _planned(source, target, options)
    prepared.plan.save(output, overwrite=options.overwrite)
    if rule is not None:
        _save_rule(prepared.plan, prepared.source, rule, overwrite=options.overwrite)
    return replace(judged("plan", prepared, options), wrote=file_entry(output))


def hashed_plan(source: Any, target: Any, options: Options, rule: Path | None = None) -> Plan:
    """The plan with the hashes of both models' bytes and the energies that its adapters keep."""
    refuse_uncarried(options)
    prepared = _planned(source, target, options)
    if rule is not None:
        _save_rule(prepared.plan, prepared.source, rule, overwrite=options.overwrite)
    return prepared.plan


def _planned(source: Any, target: Any, options: Options) -> Prepared:
    fit = fitted(prepare(source, target, options), source, target, options, is_carried_out=False)
    return measured(fit.prepared, options)


def _save_rule(plan: Plan, source: LayerGraph, path: Path, *, overwrite: bool) -> None:
    summary = f"Found for {Path(source.path).name}: {len(plan.steps)} tensors"
    shapes = {tensor.name: tensor.shape for tensor in source.tensors}
    write_text(path, mapping_of(plan, summary, shapes), overwrite=overwrite)
