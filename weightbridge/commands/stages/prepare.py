"""Both models read, matched and planned: what check, plan, transfer and verify begin with.

What only some commands need is imported in functions: `check` starts in half the time that all would take.
"""

from dataclasses import replace
from typing import Any

from weightbridge import formats
from weightbridge.boundary.options import Options
from weightbridge.commands.rules import rules_of
from weightbridge.commands.stages.idle import refuse_beside_plan
from weightbridge.commands.stages.prepared import Prepared
from weightbridge.commands.stages.reading import as_wanted, said_of_both
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.match import match
from weightbridge.matching.pairing.by_map import check_map
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.declared import check_carried_out, check_globs, declared
from weightbridge.planning.findings import unexplained
from weightbridge.planning.make import make_plan
from weightbridge.planning.maps_in_part import maps_in_part
from weightbridge.planning.own_tensors import called_again, planned_apart, said_of_own
from weightbridge.planning.parts_of_weights import said_of_parts
from weightbridge.planning.steps import unused_of


def prepare(source: Any, target: Any, options: Options) -> Prepared:
    """Read both models (a target may be its graph already), then match and plan, or take the plan's file."""
    with rules_of(options.rules):
        options.progress("reading the source", 0, 0)
        source_graph = formats.apart(formats.read(source, options.source_arguments))
        options.progress("reading the target", 0, 0)
        is_read = isinstance(target, LayerGraph)
        target_graph = target if is_read else formats.apart(formats.read(target, options.target_arguments))
        if options.plan is not None:
            return _from_file(source_graph, target_graph, options)
        effective = source_graph.effective
        if effective is None or target_graph.effective is not None:
            return _matched(source, source_graph, target_graph, options)
        return _over_stored(source, source_graph, effective, target_graph, options)


def measured(prepared: Prepared, options: Options) -> Prepared:
    """With what only values can tell: hashes, energies, NaN. Carries the plan out and writes nothing."""
    from weightbridge.planning.hashes import with_content
    from weightbridge.transfer.execute import Ledger, values

    ledger = Ledger()
    for _ in values(prepared.plan, prepared.source, prepared.target, ledger, options.progress):
        pass
    plan = with_content(ledger.applied_to(prepared.plan), prepared.source, prepared.target)
    findings = (*prepared.findings, *ledger.findings)
    return with_swapped(replace(prepared, plan=plan, findings=findings))


def with_swapped(prepared: Prepared) -> Prepared:
    """With a warning where source and target look swapped, which their values tell."""
    from weightbridge.planning.swapped import swapped

    said = swapped(prepared.source, prepared.target)
    return replace(prepared, findings=(*prepared.findings, *said))


def _matched(model: Any, source: LayerGraph, target: LayerGraph, options: Options) -> Prepared:
    """model: the source as the user gave it, which `--disambiguate` runs."""
    options.progress("matching layers", 0, 0)
    check_map(source, target, options.map)
    check_globs(source, target, options)
    plan, findings = make_plan(source, target, match(source, target, options), options)
    own = formats.apart(target, called_again(target, findings))
    if own is not target:  # a file in which each of these can have its own
        return _matched(model, source, own, options)
    check_carried_out(source, target, plan, findings, options)
    prepared = Prepared(source, target, plan, findings)
    if options.disambiguate and plan.questions:
        prepared = _disambiguated(model, prepared, options)
    read = (*_read(source, target, prepared.plan, options), *_of_steps(source, target, prepared.plan))
    said = (*maps_in_part(source, target, options), *read)
    return replace(prepared, findings=(*said, *prepared.findings))


def _read(source: LayerGraph, target: LayerGraph, plan: Plan, options: Options) -> tuple[Finding, ...]:
    """What the readers say."""
    said = said_of_both(source, target, plan)
    return tuple(as_wanted(said)) if options.dequantize else said


def _of_steps(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Finding, ...]:
    """What follows from the steps for tensors that are shared, or are parts of weights."""
    return (*said_of_own(target, plan), *said_of_parts(source, target, plan))


def _over_stored(
    model: Any, stored: LayerGraph, effective: LayerGraph, target: LayerGraph, options: Options
) -> Prepared:
    """Matched by the weights that are computed from stored tensors; the plan reads these."""
    from weightbridge.planning.computed import named_as_used, stored_plan_of  # few files need it

    told = replace(options, map=named_as_used(options.map, effective))
    prepared = _matched(model, effective, target, told)
    return replace(prepared, source=stored, plan=stored_plan_of(prepared.plan, effective, stored))


def _disambiguated(model: Any, prepared: Prepared, options: Options) -> Prepared:
    """The plan with what running the candidates decided, and the findings that follow from it."""
    from weightbridge.commands.stages.disambiguate import as_map, disambiguated, without_decided

    source, target = prepared.source, prepared.target
    decided, said = disambiguated(prepared.plan, model, source, target, options)
    told = replace(options, map=(*options.map, *as_map(decided)))
    again, findings = make_plan(source, target, match(source, target, told), told)
    if [s.sources for s in again.steps] != [s.sources for s in decided.steps]:
        findings = without_decided(prepared.findings, prepared.plan, decided)
    return replace(prepared, plan=decided, findings=(*findings, *said))


def _from_file(source: LayerGraph, target: LayerGraph, options: Options) -> Prepared:
    from weightbridge.planning.ambiguities import asked
    from weightbridge.planning.stored import stored_plan, with_fresh

    assert options.plan is not None
    refuse_beside_plan(options)
    check_globs(source, target, options)
    given = options.plan if isinstance(options.plan, Plan) else Plan.load(options.plan)
    target = formats.apart(target, planned_apart(target, given))
    plan = with_fresh(stored_plan(options.plan, source, target), declared(target, options.fresh))
    on_purpose = {*options.unused, *(u.source for u in plan.unused if u.reason == "declared")}
    plan = replace(plan, unused=unused_of(source, plan.steps, on_purpose))
    still_open = asked(plan.questions, {step.target: step for step in plan.steps}, is_stored=True)
    said = (*_read(source, target, plan, options), *_of_steps(source, target, plan))
    findings = (*said, *unexplained(source, plan.unused), *still_open)
    check_carried_out(source, target, plan, findings, options)
    return Prepared(source, target, plan, findings)
