"""What is to be said about a plan: misfits, tensors without a partner, vectors of another role."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from weightbridge.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step, Unused

Steps = Mapping[str, Step]
VECTOR_ROLES = frozenset({"bias", "gamma", "beta", "moving_mean", "moving_variance"})
INTERCHANGEABLE = frozenset({"bias", "beta"})


def misfits(
    source: LayerGraph,
    target: LayerGraph,
    pairs: Iterable[tuple[str, str]],
    settled: Collection[str],
    *,
    may_adapt: bool,
) -> Iterator[Finding]:
    """WB201 for each pair (source, target) of tensors that no exact transform joins.

    settled: names of the target's tensors that need no more be said about. may_adapt: adapters were allowed,
    and have nothing to offer.
    """
    for source_name, target_name in pairs:
        if target_name not in settled:
            tensors = source.tensor_by_name[source_name], target.tensor_by_name[target_name]
            yield _misfit(*tensors, may_adapt=may_adapt)


def unmatched(target: LayerGraph, settled: Collection[str]) -> Iterator[Finding]:
    """One WB202 per layer, naming its tensors."""
    for layer in target.layers:
        names = [tensor.name for tensor in layer.tensors if tensor.name not in settled]
        if names:
            yield _unmatched(layer.name, names)


def mixed_roles(source: LayerGraph, target: LayerGraph, steps: Iterable[Step]) -> Iterator[Finding]:
    """WB208 where a plain copy would put one kind of vector into another."""
    for step in steps:
        if step.transform or len(step.sources) != 1:
            continue
        source_role = source.tensor_by_name[step.sources[0]].role
        target_role = target.tensor_by_name[step.target].role
        roles = {source_role, target_role}
        if len(roles) == 2 and roles <= VECTOR_ROLES and roles != INTERCHANGEABLE:
            message = (
                f"{step.target}: {step.sources[0]} is a {source_role}, and would land in a {target_role}"
            )
            yield finding("WB208", message, source=step.sources[0], target=step.target)


def unexplained(source: LayerGraph, unused: Iterable[Unused]) -> Iterator[Finding]:
    """One WB203 per layer, naming its tensors."""
    by_layer: dict[str, list[str]] = {}
    for entry in unused:
        if entry.reason == "unexplained":
            by_layer.setdefault(source.owner[entry.source].name, []).append(entry.source)
    for layer, names in by_layer.items():
        yield _unused(layer, names)


def _misfit(source: Tensor, target: Tensor, *, may_adapt: bool) -> Finding:
    shapes = f"the source's {source.name} has shape {source.shape}, expected {target.shape}"
    declare = f"declare it (--fresh '{target.name}')"
    build = "build the target with the source's shape"
    return finding(
        "WB201",
        f"{target.name}: {shapes}; no exact transform joins them",
        source=source.name,
        target=target.name,
        fix=f"{declare}, or {build}" if may_adapt else f"leave out --adapt none, {declare}, or {build}",
    )


def _unmatched(layer: str, names: Sequence[str]) -> Finding:
    is_single = len(names) == 1
    glob = names[0] if is_single else f"{layer}/*"
    reason = "no tensor of the source corresponds; left as the target has initialised it"
    return finding(
        "WB202",
        f"{', '.join(names)}: {reason}",
        target=names[0] if is_single else layer,
        fix=f"declare it with --fresh '{glob}', or name its source with --map SOURCE=TARGET",
    )


def _unused(layer: str, names: Sequence[str]) -> Finding:
    is_single = len(names) == 1
    glob = names[0] if is_single else f"{layer}*"
    return finding(
        "WB203",
        f"{', '.join(names)}: nothing in the target uses {'it' if is_single else 'them'}",
        source=names[0] if is_single else layer,
        fix=f"declare it with --unused '{glob}' if that is right",
    )
