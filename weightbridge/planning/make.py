"""Matches and adapters -> Plan: one step per target tensor, one entry per unused source tensor."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from weightbridge.diagnostics import Finding, finding
from weightbridge.formats.hashing import structure_hash
from weightbridge.matching import Match, Matching
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor, dtype_of
from weightbridge.options import Options
from weightbridge.plan import Contract, Kind, Plan, Step, Unused, UnusedReason
from weightbridge.planning.questions import questions_of
from weightbridge.transforms import is_bitwise

VECTOR_ROLES = frozenset({"bias", "gamma", "beta", "moving_mean", "moving_variance"})


def make_plan(
    source: LayerGraph, target: LayerGraph, matching: Matching, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """The plan and what is to be said about it (WB201, WB202, WB203, WB208, WB209 and the adapters'
    findings).
    """
    fresh = frozenset(t.name for t in target.tensors if is_declared(t.name, target, options.fresh))
    dtypes = {t.name: t.dtype for t in source.tensors}
    steps = {
        m.target: exact_step(target_tensor, m, dtypes)
        for m, target_tensor in _exact(matching, target)
        if m.target not in fresh
    }
    open_targets = frozenset(
        t.name
        for t in target.tensors
        if t.name not in steps and t.name not in fresh | _refused(target, matching)
    )
    findings: list[Finding] = list(matching.findings)
    left: frozenset[str] = frozenset()
    if options.adapt != "none" and open_targets:
        # thirty modules that an exact match can do without
        from weightbridge.adapters.propose.choose import propose

        proposal = propose(source, target, matching, open_targets)
        steps |= {s.target: s for s in proposal.steps if s.target not in fresh}
        findings = [*(f for f in findings if not proposal.settles(f)), *proposal.findings]
        left = proposal.fresh
    all_steps = tuple(steps.get(t.name) or fresh_step(t) for t in target.tensors)
    findings += _misfits(source, target, matching, steps, fresh | left)
    said = {f.target for f in findings if f.code == "WB201"}
    findings += _unmatched(target, steps, fresh, said)
    findings += _roles(source, target, all_steps)
    unused = unused_of(source, all_steps, options.unused)
    findings += unexplained(source, unused)
    plan = Plan(
        all_steps, unused, structure_hash(source), structure_hash(target), questions=questions_of(all_steps)
    )
    return plan, tuple(findings)


def _refused(target: LayerGraph, matching: Matching) -> frozenset[str]:
    return frozenset(t.name for name in matching.refused for t in target.by_name[name].tensors)


def is_declared(name: str, graph: LayerGraph, globs: Iterable[str]) -> bool:
    """A glob names a tensor, or the layer that it belongs to."""
    layer = graph.owner[name].name
    return any(fnmatchcase(name, glob) or fnmatchcase(layer, glob) for glob in globs)


def _exact(matching: Matching, target: LayerGraph) -> Iterable[tuple[Match, Tensor]]:
    return ((m, target.tensor_by_name[m.target]) for m in matching.matches)


def exact_step(target: Tensor, match: Match, dtypes: Mapping[str, str]) -> Step:
    """A copy or an exact transform; a change of dtype is part of the contract."""
    given = {dtypes[s] for s in match.sources}
    kind: Kind = "transform" if match.transform or given - {target.dtype} else "copy"
    return Step(
        target=target.name,
        sources=match.sources,
        kind=kind,
        contract=_contract(match, given, target.dtype),
        shape=target.shape,
        size=target.size,
        transform=match.transform,
        parameters=match.parameters,
        confidence=round(match.confidence, 4),
        evidence=match.evidence,
        runners_up=match.runners_up,
    )


def _contract(match: Match, given: set[str], wanted: str) -> Contract:
    if match.preserving or not is_bitwise(match.transform, match.parameters):
        return "preserving"
    if given <= {wanted}:
        return "bitwise"
    widened = all(dtype_of(d).itemsize < dtype_of(wanted).itemsize for d in given)
    return "preserving" if widened else "lossy"


def fresh_step(target: Tensor) -> Step:
    return Step(target.name, (), "fresh", "fresh", target.shape, target.size)


def _misfits(
    source: LayerGraph,
    target: LayerGraph,
    matching: Matching,
    steps: Mapping[str, Step],
    fresh: frozenset[str],
) -> Iterable[Finding]:
    given, wanted = source.tensor_by_name, target.tensor_by_name
    for s, t in matching.misfits:
        if t not in steps and t not in fresh:
            yield finding(
                "WB201",
                f"{t}: the source's {s} has shape {given[s].shape}, expected {wanted[t].shape}; no exact transform joins them",
                source=s,
                target=t,
                fix=f"allow adapters (--adapt weights), declare it (--fresh '{t}'), or build the target with the source's shape",
            )


def _unmatched(
    target: LayerGraph, steps: Mapping[str, Step], fresh: frozenset[str], said: set[str]
) -> Iterable[Finding]:
    """One WB202 per layer, naming its tensors."""
    for layer in target.layers:
        names = [
            t.name
            for t in layer.tensors
            if t.name not in steps and t.name not in fresh and t.name not in said
        ]
        if names:
            glob = names[0] if len(names) == 1 else f"{layer.name}/*"
            yield finding(
                "WB202",
                f"{', '.join(names)}: no tensor of the source corresponds; left as the target has initialised it",
                target=names[0] if len(names) == 1 else layer.name,
                fix=f"declare it with --fresh '{glob}', or name its source with --map SOURCE=TARGET",
            )


def _roles(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> Iterable[Finding]:
    """WB208 where a plain copy would put one kind of vector into another."""
    given, wanted = source.tensor_by_name, target.tensor_by_name
    for step in steps:
        if step.transform or len(step.sources) != 1:
            continue
        a, b = given[step.sources[0]].role, wanted[step.target].role
        if a != b and {a, b} <= VECTOR_ROLES and {a, b} != {"bias", "beta"}:
            yield finding(
                "WB208",
                f"{step.target}: {step.sources[0]} is a {a}, and would land in a {b}",
                source=step.sources[0],
                target=step.target,
            )


def unused_of(source: LayerGraph, steps: Iterable[Step], declared: Iterable[str]) -> tuple[Unused, ...]:
    """Every source tensor that no step reads, and every excluded one, with its reason."""
    used = {s for step in steps for s in step.sources}
    globs = tuple(declared)
    kept = [
        Unused(t.name, "declared" if is_declared(t.name, source, globs) else "unexplained")
        for t in source.tensors
        if t.name not in used
    ]
    reasons: Mapping[str, UnusedReason] = {e.name: e.reason for e in source.excluded}
    return (*kept, *(Unused(name, reason) for name, reason in reasons.items()))


def unexplained(source: LayerGraph, unused: Iterable[Unused]) -> Iterable[Finding]:
    """One WB203 per layer, naming its tensors."""
    layers: dict[str, list[str]] = {}
    for entry in unused:
        if entry.reason == "unexplained":
            layers.setdefault(source.owner[entry.source].name, []).append(entry.source)
    for layer, names in layers.items():
        yield finding(
            "WB203",
            f"{', '.join(names)}: nothing in the target uses {'it' if len(names) == 1 else 'them'}",
            source=names[0] if len(names) == 1 else layer,
            fix=f"declare it with --unused '{names[0] if len(names) == 1 else layer + '*'}' if that is right",
        )
