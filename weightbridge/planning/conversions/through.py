"""The plan of a conversion by way of a Keras model: what two plans do one after the other."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from weightbridge import transforms
from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.axes import merges_or_drops, parse
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.plan import Contract, Kind, Plan, Step, Unused
from weightbridge.planning.findings import unexplained
from weightbridge.planning.steps import unused_of
from weightbridge.transforms import is_bitwise

Steps = Mapping[str, Step]


def between(graph: LayerGraph, plan: Plan, source: LayerGraph) -> LayerGraph:
    """The Keras model in between, whose tensors are computed from the source's when they are asked for."""
    steps = {step.target: step for step in plan.steps if step.sources}
    given = source.tensor_by_name
    return replace(graph, layers=tuple(_filled(layer, steps, given) for layer in graph.layers))


def _filled(layer: Layer, steps: Steps, given: Mapping[str, Tensor]) -> Layer:
    tensors = [
        replace(tensor, load=partial(_value, steps[tensor.name], tensor, given))
        if tensor.name in steps
        else tensor
        for tensor in layer.tensors
    ]
    return replace(layer, tensors=tuple(tensors))


def _value(step: Step, tensor: Tensor, given: Mapping[str, Tensor]) -> Array:
    arrays = [given[name].load() for name in step.sources]
    return transforms.apply(step.transform, step.parameters, arrays).astype(tensor.dtype)


def through_plan(
    source: LayerGraph, first: Plan, second: Plan, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """One step for each tensor of the second's target, over the tensors of the first's source."""
    earlier = {step.target: step for step in first.steps}
    steps = tuple(_joined(step, earlier) for step in second.steps)
    told = {entry.source: entry.reason for entry in first.unused}
    unused = tuple(
        Unused(entry.source, told.get(entry.source, entry.reason))
        for entry in unused_of(source, steps, options.unused)
    )
    plan = Plan(steps, unused, first.source_structure, second.target_structure)
    return plan, tuple(unexplained(source, unused))


def _joined(step: Step, earlier: Steps) -> Step:
    before = [earlier[name] for name in step.sources]
    if not before:
        return step
    sources = tuple(name for one in before for name in one.sources)
    transform, parameters = _both(before, step)
    contracts = {one.contract for one in (*before, step)}
    is_exact = contracts == {"bitwise"} and is_bitwise(transform, parameters)
    contract: Contract = "bitwise" if is_exact else "preserving"
    contract = "lossy" if "lossy" in contracts else contract
    kind: Kind = "transform" if transform or contract != "bitwise" else "copy"
    joined = replace(step, sources=sources, kind=kind, contract=contract)
    return replace(joined, transform=transform, parameters=parameters)


def _both(before: Iterable[Step], step: Step) -> tuple[str, dict[str, Any]]:
    """The transforms one after the other: of a single weight as one where they only move its axes."""
    first, *others = before
    if not others and not first.transform:
        return step.transform, step.parameters
    if not others and not step.transform:
        return first.transform, first.parameters
    if not others and _is_permutation(first.transform) and _is_permutation(step.transform):
        return _permuted(first.transform, step.transform), {}
    recipes = [
        {"transform": one.transform, "parameters": one.parameters, "parts": len(one.sources)}
        for one in (first, *others)
    ]
    return "computed", {"weights": recipes, "then": step.transform, "with": step.parameters}


def _is_permutation(pattern: str) -> bool:
    if "->" not in pattern or merges_or_drops(pattern):
        return False
    return all(len(group) == 1 for group in parse(pattern).source)


def _permuted(first: str, second: str) -> str:
    """Both permutations as one, in the first one's names; "" where the axes end up where they were."""
    names = [group[0] for group in parse(first).target]
    by_name = dict(zip((group[0] for group in parse(second).source), names, strict=True))
    before = [group[0] for group in parse(first).source]
    after = [by_name[group[0]] for group in parse(second).target]
    return "" if before == after else f"{' '.join(before)} -> {' '.join(after)}"
