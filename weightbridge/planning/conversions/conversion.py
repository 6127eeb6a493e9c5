"""The plan of a conversion: both models have the same layers by the same names, so nothing is guessed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from weightbridge.boundary.options import Options
from weightbridge.converting import Lowered
from weightbridge.converting.renamed import counterpart
from weightbridge.converting.values import Scaling
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.joining.join import Joined, Joiner
from weightbridge.matching.units.units import Unit
from weightbridge.matching.values import LayerPair
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.plan import Plan, Step
from weightbridge.planning.findings import misfits, unexplained, unmatched
from weightbridge.planning.steps import exact_step, fresh_step, unused_of
from weightbridge.rules.layouts import load_rules

EVIDENCE = ("name",)


def conversion_plan(
    source: LayerGraph, target: LayerGraph, lowered: Lowered, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """One step for each tensor of the target; WB201 and WB202 for what the source does not give."""
    joined = tuple(_joined(source, target, options))
    scaled = _steps(source, target, lowered, joined)
    all_steps = tuple(scaled.get(t.name) or fresh_step(t) for t in target.tensors)
    unused = unused_of(source, all_steps, options.unused)
    pairs = tuple(pair for one in joined for pair in one.misfits)
    said = {name for _, name in pairs}
    findings = (
        *misfits(source, target, pairs, (), ()),
        *unmatched(target, scaled.keys() | said),
        *unexplained(source, unused),
    )
    return Plan(all_steps, unused, source.structure, target.structure), findings


def _steps(
    source: LayerGraph, target: LayerGraph, lowered: Lowered, joined: Iterable[Joined]
) -> dict[str, Step]:
    """By the target's tensor, with what is scaled."""
    dtypes = {tensor.name: tensor.dtype for tensor in source.tensors}
    wanted = target.tensor_by_name
    steps = {}
    for match in (match for one in joined for match in one.matches):
        key = _name(source, target.owner[match.target].name), wanted[match.target].role
        step = exact_step(wanted[match.target], match, dtypes)
        steps[match.target] = _scaled(step, lowered.scalings.get(key, ()))
    return steps


def _joined(source: LayerGraph, target: LayerGraph, options: Options) -> Iterator[Joined]:
    joiner = Joiner(cache(lambda: load_rules(options.rules)), source, target)
    for layer in target.layers:
        given = counterpart(source, layer.name)
        if layer.tensors and given is not None:
            pair = LayerPair(layer.name, layer.name, 1.0, EVIDENCE)
            yield joiner.join(pair, _unit(given), _unit(layer))


def _name(source: LayerGraph, name: str) -> str:
    """The name of the source's layer."""
    found = counterpart(source, name)
    return name if found is None else found.name


def _unit(layer: Layer) -> Unit:
    return Unit(layer.name, layer.op, 0, (layer,), tuple((tensor.role, tensor) for tensor in layer.tensors))


def _scaled(step: Step, scalings: tuple[Scaling, ...]) -> Step:
    for scaling in scalings:
        parameters = {
            "factor": scaling.factor,
            "parts": scaling.parts,
            "blocks": list(scaling.blocks),
            "inner": step.transform,
            "parameters": step.parameters,
        }
        step = replace(
            step, kind="transform", contract="preserving", transform="scaled", parameters=parameters
        )
    return step
