"""The plan of a conversion whose target is made of the source's own file: every tensor is copied."""

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding
from weightbridge.matching import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.findings import unexplained
from weightbridge.planning.make import exact_step, unused_of

EVIDENCE = ("name",)


def copied_plan(source: LayerGraph, target: LayerGraph, options: Options) -> tuple[Plan, tuple[Finding, ...]]:
    dtypes = {tensor.name: tensor.dtype for tensor in source.tensors}
    steps = tuple(
        exact_step(tensor, Match(tensor.name, (tensor.name,), evidence=EVIDENCE), dtypes)
        for tensor in target.tensors
    )
    unused = unused_of(source, steps, options.unused)
    return Plan(steps, unused, source.structure, target.structure), tuple(unexplained(source, unused))
