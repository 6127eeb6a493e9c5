"""A plan whose values are computed from inputs: what is exact stays, everything behind it is fitted."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from weightbridge.matching.confidence import DOUBTFUL, LOSSY
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import FITTED, Fit, Plan, Step
from weightbridge.planning.steps import fresh_step, unused_of

Names = frozenset[str]
Origin = tuple[str, tuple[str, ...]]  # a cut of the source, and the layers that it stands for


def kept_layers(plan: Plan, target: LayerGraph, declared: Collection[str]) -> Names:
    """Layers that are not fitted: exact ones whose inputs are exact, and those that are to stay fresh.

    A plan from a file keeps whatever it does not call fitted.
    """
    steps = {step.target: step for step in plan.steps}
    if plan.fit is not None:
        return frozenset(x.name for x in target.layers if not _has_fitted(x.tensors, steps))
    exact = _exact_from_the_start(target, steps)
    exact -= {name for name in exact if _is_half(target, name, exact)}
    return frozenset(exact | {x.name for x in target.layers if _are_all(x.tensors, declared)})


def fitted_plan(
    plan: Plan,
    source: LayerGraph,
    fit: Fit,
    origins: Mapping[str, Origin],
    unused: Collection[str] = (),
) -> Plan:
    """origins: by fitted target tensor, the source's cut and the layers that it stands for."""
    steps = tuple(_step(step, source, origins) for step in plan.steps)
    return replace(plan, steps=steps, unused=unused_of(source, steps, unused), questions=(), fit=fit)


def _step(step: Step, source: LayerGraph, origins: Mapping[str, Origin]) -> Step:
    if step.target not in origins:
        return step
    cut, layers = origins[step.target]
    known = source.by_name
    sources = tuple(
        t.name for name in layers if name in known for t in known[name].tensors if not t.is_counted
    )
    return Step(
        step.target,
        sources,
        "adapt",
        "lossy",
        step.shape,
        step.size,
        FITTED,
        parameters={"cut": cut},
        evidence=("fit",),
        confidence=LOSSY,
        energy_kept=None,
        cost=f"fitted to {cut}",
    )


def without_origin(plan: Plan, kept: Names, target: LayerGraph) -> Plan:
    """Exact steps behind fitted layers are none any more: what these read is another thing now."""
    owner = target.owner
    steps = tuple(
        step
        if owner[step.target].name in kept or step.kind == "keep"
        else fresh_step(target.tensor_by_name[step.target])
        for step in plan.steps
    )
    return replace(plan, steps=steps)


def _exact_from_the_start(target: LayerGraph, steps: Mapping[str, Step]) -> set[str]:
    exact: set[str] = set()
    for layer in target.layers:
        is_exact = all(_is_sure(steps[t.name]) for t in layer.tensors)
        if is_exact and exact.issuperset(target.parents[layer.name]):
            exact.add(layer.name)
    return exact


def _is_half(target: LayerGraph, name: str, exact: Collection[str]) -> bool:
    """Whether the layer's norm is not exact: without it the layer computes something else."""
    behind = [target.by_name[child] for child in target.children[name]]
    return any(layer.op == "BatchNorm" and layer.name not in exact for layer in behind)


def _are_all(tensors: Collection[Tensor], names: Collection[str]) -> bool:
    return bool(tensors) and all(tensor.name in names for tensor in tensors)


def _is_sure(step: Step) -> bool:
    return step.kind == "keep" or (step.kind in ("copy", "transform") and step.confidence > DOUBTFUL)


def _has_fitted(tensors: Collection[Tensor], steps: Mapping[str, Step]) -> bool:
    return any(steps[t.name].transform == FITTED for t in tensors)
