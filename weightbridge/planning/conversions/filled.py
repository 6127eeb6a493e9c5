"""The plan of a conversion by another engine, whose file holds its values already."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from weightbridge import transforms
from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching.match import match
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Plan, Step
from weightbridge.planning.findings import unexplained
from weightbridge.planning.make import make_plan
from weightbridge.planning.steps import kept_step, unused_of

NEAR = 1e-5  # how far, of the largest value, the engine's own value may be from the source's


ELSEWHERE = "the engine keeps them in another form: what the file computes is compared"


def filled_plan(source: LayerGraph, target: LayerGraph, options: Options) -> tuple[Plan, tuple[Finding, ...]]:
    """The steps that give what the engine has written anyway; every other tensor stays as it is.

    Values are read. Where there is no such step the plan has none, and outputs alone can tell. Source tensors
    that no step uses are notes.
    """
    plan, _ = make_plan(source, target, match(source, target, options), options)
    given, wanted = source.tensor_by_name, target.tensor_by_name
    steps = tuple(
        s if _is_there(s, given, wanted[s.target]) else kept_step(wanted[s.target], "engine")
        for s in plan.steps
    )
    if not any(step.sources for step in steps):
        steps = ()  # weights inside a Loop, or all of them folded: outputs alone can tell
    unused = unused_of(source, steps, options.unused)
    found = replace(plan, steps=steps, unused=unused, questions=())
    return found, tuple(_notes(source, found))


def _is_there(step: Step, given: Mapping[str, Tensor], target: Tensor) -> bool:
    if step.kind not in ("copy", "transform") or not step.sources:
        return False
    value = transforms.apply(step.transform, step.parameters, [given[name].load() for name in step.sources])
    held = target.load()
    if value.shape != held.shape or not value.size:
        return False
    return bool(np.abs(value - held).max() <= NEAR * np.abs(held).max())


def _notes(source: LayerGraph, plan: Plan) -> Iterator[Finding]:
    for found in unexplained(source, plan.unused):
        yield replace(found, severity="note", fix=ELSEWHERE)
