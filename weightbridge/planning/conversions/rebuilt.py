"""The plan of a conversion to Keras from a graph: the writer knows what gives each weight."""

from dataclasses import replace

from weightbridge.boundary.options import Options
from weightbridge.converting.from_graph import Drawn
from weightbridge.converting.values import Weight
from weightbridge.errors.diagnostics import Finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Plan, Step, Unused
from weightbridge.planning.conversions.converted import weight_step
from weightbridge.planning.findings import unexplained, unmatched
from weightbridge.planning.steps import fresh_step, unused_of, with_reading


def rebuilt_plan(
    source: LayerGraph, target: LayerGraph, drawn: Drawn, options: Options
) -> tuple[Plan, tuple[Finding, ...]]:
    """One step for each tensor of the target; WB202 for what nothing gives."""
    given = {(weight.layer, weight.role): weight for weight in drawn.weights}
    steps = tuple(_step(source, target, tensor, given) for tensor in target.tensors)
    known = {step.target for step in steps if step.kind != "fresh"}
    unused = tuple(_as_setting(source, one, drawn) for one in unused_of(source, steps, options.unused))
    findings = (*unmatched(target, known), *unexplained(source, unused))
    return Plan(steps, unused, source.structure, target.structure), findings


def _as_setting(source: LayerGraph, unused: Unused, drawn: Drawn) -> Unused:
    """A number that is a setting of its layer is no weight that is left over."""
    owner = source.owner.get(unused.source)
    is_setting = unused.source in drawn.settled or (owner is not None and owner.op == "Rescaling")
    return replace(unused, reason="state") if is_setting and unused.reason == "unexplained" else unused


def _step(
    source: LayerGraph, target: LayerGraph, tensor: Tensor, given: dict[tuple[str, str], Weight]
) -> Step:
    weight = given.get((target.owner[tensor.name].name, tensor.role))
    if weight is None:
        return fresh_step(tensor)
    dtypes = {name: source.tensor_by_name[name].dtype for name in weight.sources}
    return with_reading(weight_step(tensor, weight, dtypes), source.tensor_by_name)
