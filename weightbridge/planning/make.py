"""Matches and adapters -> Plan: one step per target tensor, one entry per unused source tensor."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import filterfalse

from weightbridge.adapters.propose.values import Proposal
from weightbridge.boundary.options import Options
from weightbridge.errors import UsageError
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.values import Matching
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan, Step
from weightbridge.planning.ambiguities import ambiguities, without_asked
from weightbridge.planning.declared import declared, without_declared
from weightbridge.planning.findings import misfits, mixed_roles, unexplained, unmatched
from weightbridge.planning.ledger import without_second_uses
from weightbridge.planning.questions import questions_of
from weightbridge.planning.steps import exact_step, fresh_step, kept_step, unused_of, with_reading

Steps = Mapping[str, Step]
Names = frozenset[str]
CODES = frozenset({"int8", "uint8"})  # no floats, whatever is done to their axes


def make_plan(
    source: LayerGraph, target: LayerGraph, matching: Matching, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan and what is to be said about it (WB201, WB202, WB203, WB208, and the adapters' findings)."""
    on_purpose = declared(target, options.fresh)
    matched = _exact_steps(source, target, matching, on_purpose)
    exact, spent = without_second_uses(source, target, matched)
    refused = frozenset(matched.keys() - exact.keys())
    kept = _kept_counts(target, matched)
    proposal = _proposal(source, target, matching, matched.keys() | kept.keys() | on_purpose, options)
    steps = kept | exact | _steps_by_target(proposal.steps, on_purpose)
    deeper = _by_depth(source, target, matching, steps, options)
    steps |= _steps_by_target(deeper.steps, on_purpose)
    given = source.tensor_by_name
    all_steps = tuple(with_reading(steps.get(t.name) or fresh_step(t), given) for t in target.tensors)
    unused = unused_of(source, all_steps, options.unused)
    said_of_pairs = without_declared(matching.findings, source, target, options)
    findings = [
        *filterfalse(deeper.settles, filterfalse(proposal.settles, (*said_of_pairs, *spent))),
        *proposal.findings,
        *deeper.findings,
    ]
    if not proposal.refused:
        settled = steps.keys() | on_purpose | refused
        adapting = _adapting(source, target, matching, settled, options)
        findings += misfits(source, target, matching.misfits, settled | proposal.fresh, adapting)
        said = {f.target for f in findings if f.code == "WB201"}
        findings += unmatched(target, settled | said | _said_of_heads(proposal, options))
        findings += unexplained(source, unused, is_one=proposal.different)
    findings += mixed_roles(source, target, all_steps)
    questions = questions_of(() if proposal.refused else all_steps)
    findings = [*without_asked(findings), *ambiguities(findings, questions, all_steps, target)]
    return Plan(all_steps, unused, source.structure, target.structure, questions=questions), tuple(findings)


def _kept_counts(target: LayerGraph, matched: Collection[str]) -> dict[str, Step]:
    """Constants of integers (positions, indices), which the target has itself."""
    counted = (t for t in target.tensors if t.is_counted and t.name not in matched)
    return {t.name: kept_step(t, "state") for t in counted}


def _proposal(
    source: LayerGraph, target: LayerGraph, matching: Matching, settled: Collection[str], options: Options
) -> Proposal:
    """What adapters do about the tensors that are not settled."""
    open_targets = _open_targets(target, matching, settled)
    if options.adapt in ("none", "fit") or not open_targets:  # a fit is made of the plan of what is exact
        return Proposal()
    # thirty modules that an exact match can do without
    from weightbridge.adapters.propose.choose import propose

    return propose(source, target, matching, open_targets, options.adapt)


def _by_depth(
    source: LayerGraph, target: LayerGraph, matching: Matching, steps: Steps, options: Options
) -> Proposal:
    """Blocks that start as others of the source, where that was asked for."""
    if options.depth == "identity":
        return Proposal()
    if options.adapt in ("none", "fit"):
        message = f"--depth {options.depth} copies blocks, and --adapt {options.adapt} does not"
        raise UsageError(message, fix=f"leave out --adapt {options.adapt}, or leave out --depth")
    from weightbridge.adapters.propose.deeper.depth_maps import (
        by_depth,  # as `propose` is, where it is needed
    )

    return by_depth(source, target, matching.pairs, steps, options.depth)


def _said_of_heads(proposal: Proposal, options: Options) -> Names:
    """What WB303 says is fresh, where the user has asked to adapt whatever differs."""
    return proposal.fresh if options.adapt == "weights" else frozenset()


def _adapting(
    source: LayerGraph, target: LayerGraph, matching: Matching, settled: Collection[str], options: Options
) -> Names:
    """The tensors that adapters would fill if they were not switched off."""
    if options.adapt != "none" or not matching.misfits:
        return frozenset()
    proposal = _proposal(source, target, matching, settled, replace(options, adapt="same"))
    return frozenset(step.target for step in proposal.steps if step.sources)


def _exact_steps(
    source: LayerGraph, target: LayerGraph, matching: Matching, declared: Names
) -> dict[str, Step]:
    dtypes = {tensor.name: tensor.dtype for tensor in source.tensors}
    matches = [match for match in matching.matches if match.target not in declared]
    return {m.target: exact_step(target.tensor_by_name[m.target], m, dtypes) for m in matches}


def _steps_by_target(steps: Iterable[Step], declared: Names) -> dict[str, Step]:
    return {step.target: step for step in steps if step.target not in declared}


def _open_targets(target: LayerGraph, matching: Matching, settled: Collection[str]) -> Names:
    """Tensors that adapters may fill: those without a step, of layers that matching has not refused."""
    refused = {tensor.name for name in matching.refused for tensor in target.by_name[name].tensors}
    closed = refused | {tensor.name for tensor in target.tensors if tensor.dtype in CODES}
    return frozenset(t.name for t in target.tensors if t.name not in settled and t.name not in closed)
