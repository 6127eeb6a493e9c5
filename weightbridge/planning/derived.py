"""Steps that follow from other steps, worked out again for a plan that a person has changed."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.adapters.propose.across.norms import statistic_steps
from weightbridge.adapters.propose.setting import Setting
from weightbridge.matching.values import Matching
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Plan, Step, is_written
from weightbridge.planning.refolded import refolded

EXPECTED, GAMMA = "expected-statistics", "batchnorm-gamma"
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
AGAIN = "worked out again for the steps of this plan"
Steps = Mapping[str, Step]


def with_derived(plan: Plan, source: LayerGraph, target: LayerGraph) -> Plan:
    """The plan whose expected statistics, and factors of norms, are of what its other steps take now.

    Raises PlanError for a kernel that would be scaled by another layer's norm.
    """
    steps = {step.target: step for step in plan.steps}
    folds = (replace(step, cost=AGAIN) for step in refolded(steps, source, target))
    derived = (*_statistics(steps, source, target), *_gammas(steps, target), *folds)
    again = {step.target: step for step in derived}
    changed = {name: step for name, step in again.items() if _reads_else(step, steps[name])}
    if not changed:
        return plan
    return replace(plan, steps=tuple(changed.get(step.target, step) for step in plan.steps))


def _statistics(steps: Steps, source: LayerGraph, target: LayerGraph) -> Iterator[Step]:
    expected = frozenset(name for name, step in steps.items() if step.transform == EXPECTED)
    if not expected:
        return
    setting = Setting(source, target, Matching((), ()), frozenset())
    written = {name: _as_mapped(step) for name, step in steps.items() if is_written(step)}
    for step in statistic_steps(setting, _taken(steps, source, target), written):
        if step.target in expected:
            now = steps[step.target]
            yield replace(
                now, sources=step.sources, parameters=step.parameters, transform=step.transform, cost=AGAIN
            )


def _as_mapped(step: Step) -> Step:
    """A step in the terms of adapted ones: which axes change, and how they are laid out."""
    if not step.sources or "axes" in step.parameters:
        return step
    layout = {"layout": step.transform} if "->" in step.transform else {}
    return replace(step, parameters={"axes": {}, **layout})


def _taken(steps: Steps, source: LayerGraph, target: LayerGraph) -> Mapping[str, Layer]:
    """The source layer that each target layer's kernel comes from."""
    taken: dict[str, Layer] = {}
    for layer in target.layers:
        kernels = (tensor.name for tensor in layer.tensors if tensor.role in KERNELS)
        sources = [name for kernel in kernels for name in steps[kernel].sources]
        if sources:
            taken[layer.name] = source.owner[sources[0]]
    return taken


def _gammas(steps: Steps, target: LayerGraph) -> Iterator[Step]:
    """A factor that makes up for another epsilon goes by the variance which the norm gets."""
    for name, step in steps.items():
        variance = target.owner[name].tensor("moving_variance")
        given = steps[variance.name] if variance is not None else None
        if (
            step.transform == GAMMA
            and len(step.sources) == 2
            and given is not None
            and len(given.sources) == 1
        ):
            yield replace(step, sources=(step.sources[0], *given.sources), cost=AGAIN)


def _reads_else(again: Step, now: Step) -> bool:
    return again.sources != now.sources or _plain(again.parameters) != _plain(now.parameters)


def _plain(parameters: Mapping[str, Any]) -> str:
    return json.dumps(parameters, sort_keys=True)
