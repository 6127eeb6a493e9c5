"""The plan of a conversion whose target is made of the source's own file: every tensor is copied."""

from glob import escape

import numpy as np

from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding
from weightbridge.formats.running import ULPS
from weightbridge.matching.values import Match
from weightbridge.model.graph import LayerGraph
from weightbridge.plan import Plan
from weightbridge.planning.findings import unexplained
from weightbridge.planning.steps import exact_step, kept_step, unused_of

EVIDENCE = ("name",)


def left_alone(source: LayerGraph) -> frozenset[str]:
    """Single numbers that are not finite: what a mask fills in, and no weight. They are read."""
    single = (tensor for tensor in source.tensors if tensor.size == 1 and tensor.dtype in ULPS)
    return frozenset(tensor.name for tensor in single if not np.isfinite(tensor.load()).all())


def copied_plan(
    source: LayerGraph, target: LayerGraph, kept: frozenset[str], options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """kept: the tensors that are left alone."""
    dtypes = {tensor.name: tensor.dtype for tensor in source.tensors}
    steps = tuple(
        kept_step(tensor, "constant")
        if tensor.name in kept
        else exact_step(tensor, Match(tensor.name, (tensor.name,), evidence=EVIDENCE), dtypes)
        for tensor in target.tensors
    )
    unused = unused_of(source, steps, (*options.unused, *map(escape, kept)))
    return Plan(steps, unused, source.structure, target.structure), tuple(unexplained(source, unused))
