"""The plan of a conversion to ONNX: the writer knows which source tensors give each initializer."""

from dataclasses import replace

from weightbridge.boundary.options import Options
from weightbridge.converting.to_onnx import Drawn
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Array, Tensor
from weightbridge.plan import Plan, Step
from weightbridge.planning.conversions.converted import weight_step
from weightbridge.planning.findings import unexplained
from weightbridge.planning.steps import kept_step, unused_of


def drawn_plan(
    source: LayerGraph, target: LayerGraph, drawn: Drawn, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """One step for each tensor of the target; what is no weight of the source stays as the writer made it."""
    given = drawn.weights
    numbers = {t.name: t.value for t in drawn.drawing.initializers if t.value is not None}
    dtypes = {tensor.name: tensor.dtype for tensor in source.tensors}
    steps = tuple(
        weight_step(tensor, given[tensor.name], dtypes)
        if tensor.name in given
        else _constant(tensor, numbers.get(tensor.name))
        for tensor in target.tensors
    )
    missing = given.keys() - {step.target for step in steps}
    assert not missing, f"no layer of the file has {sorted(missing)}"
    unused = unused_of(source, steps, options.unused)
    return Plan(steps, unused, source.structure, target.structure), tuple(unexplained(source, unused))


def _constant(tensor: Tensor, value: Array | None) -> Step:
    """One number all over, as a BatchNorm without gamma has it, is said; others stay."""
    if value is None or not value.size or not (value == value.flat[0]).all():
        return kept_step(tensor, "constant")
    parameters = {"shape": list(tensor.shape), "value": float(value.flat[0])}
    step = replace(kept_step(tensor, "constant"), kind="transform", contract="preserving")
    return replace(step, transform="constant", parameters=parameters)
