"""The commands: read -> match -> plan -> transfer -> verify -> report, one short function each.

What only some commands need is imported in them: `check` starts in half the time that it would take with all
of it.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weightbridge import formats
from weightbridge.commands.rules import rules_of
from weightbridge.diagnostics import Finding, with_severity
from weightbridge.formats.hashing import structure_hash
from weightbridge.matching import changed, check_map, match, with_older_activations
from weightbridge.model.graph import LayerGraph
from weightbridge.options import Options
from weightbridge.plan import Plan
from weightbridge.planning.make import make_plan, unexplained, unused_of
from weightbridge.report.policy import with_policy
from weightbridge.report.values import ModelSummary, Report
from weightbridge.report.verdict import judge
from weightbridge.verification import Verification

if TYPE_CHECKING:
    from weightbridge.transfer.write import Written


@dataclass(frozen=True, slots=True)
class Prepared:
    """Both models read, and the plan between them with what is to be said about it."""

    source: LayerGraph
    target: LayerGraph
    plan: Plan
    findings: tuple[Finding, ...]


def inspect(model: Any, options: Options) -> Report:
    """What a model is made of; headers only."""
    from weightbridge.views.json import graph_to_json

    with rules_of(options.rules):
        graph = formats.read(model, options.source_arguments)
    report = Report(
        "inspect", "pass", source=summary(graph), findings=graph.findings, graph=graph_to_json(graph)
    )
    return judge(report, with_policy(options))


def check(source: Any, target: Any, options: Options) -> Report:
    """Match and plan; reads headers only and writes no model."""
    made = prepare(source, target, options)
    return judged("check", made, options)


def plan(source: Any, target: Any, output: Path, options: Options, rule: Path | None = None) -> Report:
    """Match and plan, read all values once (hashes, energies, NaN), and write the plan file, whatever was
    found.

    A plan with errors is written too: it is there to be edited. rule: where to save what it is sure of, for
    the next of the family.
    """
    from weightbridge.planning.file import save

    made = _measured(prepare(source, target, options), options)
    save(made.plan, output, overwrite=options.overwrite)
    if rule is not None:
        save_rule(made.plan, made.source, rule, overwrite=options.overwrite)
    return judged("plan", made, options)


def save_rule(plan: Plan, source: LayerGraph, path: Path, *, overwrite: bool = False) -> None:
    """What the plan is sure of, as a mapping rule."""
    from weightbridge.files import write_text
    from weightbridge.planning.mapping_text import mapping_of

    summary = f"Found for {Path(source.path).name}: {len(plan.steps)} tensors"
    write_text(
        path, mapping_of(plan, summary, {t.name: t.shape for t in source.tensors}), overwrite=overwrite
    )


def hashed_plan(source: Any, target: Any, options: Options) -> Plan:
    """The plan with the hashes of both models' bytes and the energies that its adapters keep."""
    return _measured(prepare(source, target, options), options).plan


def _measured(made: Prepared, options: Options) -> Prepared:
    """Carries the plan out without writing anything, for what only values can tell."""
    from weightbridge.planning.file import with_content
    from weightbridge.transfer.execute import Ledger, values

    ledger = Ledger()
    for _ in values(made.plan, made.source, made.target, ledger, options.progress):
        pass
    hashed = with_content(ledger.applied_to(made.plan), made.source, made.target)
    return replace(made, plan=hashed, findings=(*made.findings, *ledger.findings))


def prepare(source: Any, target: Any, options: Options) -> Prepared:
    """Read both models (a target may be its graph already), then match and plan, or take the plan from its
    file.
    """
    with rules_of(options.rules):
        return _prepared(source, target, options)


def _prepared(source: Any, target: Any, options: Options) -> Prepared:
    a = formats.read(source, options.source_arguments)
    b = target if isinstance(target, LayerGraph) else formats.read(target, options.target_arguments)
    if options.plan is not None:
        return _from_file(a, b, options)
    check_map(a, b, options.map)
    made, findings = make_plan(a, b, match(a, b, options), options)
    if options.disambiguate and made.questions:
        made, findings = _tried(made, findings, source, a, b, options)
    return Prepared(a, b, made, (*_said_of_both(a, b, made), *findings))


def _tried(
    made: Plan,
    findings: tuple[Finding, ...],
    given: Any,
    source: LayerGraph,
    target: LayerGraph,
    options: Options,
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan with what running the candidates decided, and the findings that follow from it."""
    from weightbridge.commands.disambiguate import as_map, disambiguated, without_decided

    decided, said = disambiguated(made, given, source, target, options)
    told = replace(options, map=(*options.map, *as_map(decided)))
    again, new = make_plan(source, target, match(source, target, told), told)
    same = [s.sources for s in again.steps] == [s.sources for s in decided.steps]
    return decided, (*(new if same else without_decided(findings, decided)), *said)


def _from_file(source: LayerGraph, target: LayerGraph, options: Options) -> Prepared:
    from weightbridge.planning.file import checked, load
    from weightbridge.planning.questions import asked

    assert options.plan is not None
    stored = checked(load(options.plan), source, target)
    declared = {*options.unused, *(u.source for u in stored.unused if u.reason == "declared")}
    unused = unused_of(source, stored.steps, declared)
    findings = (*_said_of_both(source, target, stored), *unexplained(unused), *asked(stored.questions))
    return Prepared(source, target, replace(stored, unused=unused), findings)


def _said_of_both(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Finding, ...]:
    """What the readers say. What has changed since the source was saved (WB103) is a fault where the target
    computes it today's way.
    """
    told = with_older_activations(source)
    of_source = (
        _of_source_alone(f) for f in _said_of(source, "source") if f.code != "WB103" or f.source not in told
    )
    return (*of_source, *changed(source, target, plan.steps), *_said_of(target, "target"))


def _of_source_alone(found: Finding) -> Finding:
    """How today's Keras would run the source is no fault of a transfer, which goes by what the source was
    when it was saved.
    """
    return with_severity(found, "warning") if found.code == "WB103" else found


def _said_of(graph: LayerGraph, side: str) -> Iterable[Finding]:
    """The reader's findings, with the place on the right side of the report."""
    for found in graph.findings:
        place = found.source or found.target or graph.path
        yield (
            replace(found, source=place, target="")
            if side == "source"
            else replace(found, source="", target=place)
        )


def transfer(source: Any, target: Any, output: Path, options: Options) -> Report:
    """Plan, write OUTPUT beside itself, read it back, verify it, rename it into place."""
    from weightbridge.planning.file import content_meanwhile
    from weightbridge.transfer.write import check_output, publish, staged, write

    check_output(output, options.overwrite, (source, target))
    options = with_policy(options)
    with ExitStack() as stack:
        stack.enter_context(rules_of(options.rules))
        temporary = stack.enter_context(staged(output))
        template = stack.enter_context(formats.template_of(target, output, options.target_arguments))
        made = prepare(source, template.target, options)
        with_hashes = stack.enter_context(content_meanwhile(made.source, made.target))
        if judged("transfer", made, options).exit_code:
            return judged("transfer", replace(_named(made, target), plan=with_hashes(made.plan)), options)
        written = write(made.plan, made.source, template, temporary, options.progress)
        made = replace(made, plan=with_hashes(written.plan), findings=(*made.findings, *written.findings))
        proof, said = _proof(source, made, written, options)
        report = judged(
            "transfer", replace(_named(made, target), findings=(*made.findings, *said)), options, proof
        )
        if not report.exit_code:
            publish(temporary, output)
    return report


def _proof(
    source: Any, made: Prepared, written: "Written", options: Options
) -> tuple[Verification, tuple[Finding, ...]]:
    if not options.verify:
        from weightbridge.commands.claims import (
            NOT_RUN,
            unproven,
        )  # what proves is not loaded where nothing is to be proven

        return unproven(written, (*made.findings, *made.source.findings), NOT_RUN), ()
    from weightbridge.commands.prove import prove

    return prove(source, made.source, made.target, written, made.findings, options)


def _named(made: Prepared, target: Any) -> Prepared:
    """The target by the name that the user gave it: one that was built from code has been a temporary file."""
    name = target if isinstance(target, str | Path) else getattr(target, "name", "model")
    return replace(made, target=replace(made.target, path=str(name)))


def verify(a: Any, b: Any, options: Options) -> Report:
    """Run both models on the same probes and compare outputs and matched layers. The outputs decide; matching
    only says what to compare.
    """
    from weightbridge.commands.prove import prove_pair
    from weightbridge.planning.file import with_content
    from weightbridge.transfer.execute import non_finite

    made = prepare(a, b, replace(options, plan=None))
    made = replace(made, plan=with_content(made.plan, made.source, made.target))
    proof, said = prove_pair(made.source, made.target, a, b, made.plan, options)
    run_today = {
        _of_source_alone(f): f for f in _said_of(made.source, "source") if f.code == "WB103"
    }  # here it is a fault again
    of_models = (
        *(f for f in made.findings if not f.code.startswith("WB2") and f not in run_today),
        *run_today.values(),
    )
    values = (*non_finite(made.source, "source"), *non_finite(made.target, "target"))
    return judged("verify", replace(made, findings=(*of_models, *values, *said)), options, proof)


def features(model: Any, layer: str, output: Path, options: Options) -> Report:
    """The model cut at a layer, written to OUTPUT."""
    from weightbridge.commands.features import check_features_output, write_features

    check_features_output(output, options.overwrite, model)
    with rules_of(options.rules):
        graph = formats.read(model, options.source_arguments)
    write_features(model, layer, output, options.source_arguments)
    written = formats.read(output)
    report = Report(
        "features", "pass", source=summary(graph), target=summary(written), findings=graph.findings
    )
    return judge(report, with_policy(options))


def summary(graph: LayerGraph, sha256: str | None = None) -> ModelSummary:
    return ModelSummary(
        path=graph.path,
        format=graph.format,
        producer=graph.producer,
        structure=structure_hash(graph),
        sha256=sha256,
        layers=len(graph.layers),
        tensors=len(graph.tensors),
        parameters=graph.parameters,
    )


def judged(command: str, made: Prepared, options: Options, proof: Verification | None = None) -> Report:
    report = Report(
        command,
        "pass",
        source=summary(made.source, made.plan.source_sha256),
        target=summary(made.target, made.plan.target_sha256),
        plan=made.plan,
        findings=made.findings,
        verification=proof or Verification(),
    )
    return judge(report, with_policy(options))
