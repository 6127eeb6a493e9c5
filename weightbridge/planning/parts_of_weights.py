"""Targets that compute a weight from stored parts (codes and scales, g and v): all parts from such parts."""

from collections.abc import Iterator, Mapping, Sequence

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Computed
from weightbridge.plan import Plan, Step

FIX = "build the target without it (remove the parametrisation, or do not quantise), and apply it afterwards"


def said_of_parts(source: LayerGraph, target: LayerGraph, plan: Plan) -> Iterator[Finding]:
    """WB109 for codes, WB208 for other parts, where a step gives one of them what is no such part."""
    if target.effective is None:
        return
    steps = {step.target: step for step in plan.steps}
    for tensor in target.effective.tensors:
        if tensor.computed is not None and tensor.computed.transform:
            yield from _said_of_weight(source, tensor.name, tensor.computed, steps)


def _said_of_weight(
    source: LayerGraph, name: str, computed: Computed, steps: Mapping[str, Step]
) -> Iterator[Finding]:
    own = [steps[part.name] for part in computed.parts if part.name in steps]
    first = next((step for step in own if step.sources), None)
    if first is None or _are_parts(source, computed, own):
        return
    others = ", ".join(part.name for part in computed.parts if part.name != first.target)
    what = f"{first.target} is no weight by itself: with {others} it makes {name}"
    message = f"{what}, and {first.sources[0]} is no such part"
    code = "WB109" if computed.transform.startswith("dequantise") else "WB208"
    yield finding(code, message, source=first.sources[0], target=first.target, fix=FIX)


def _are_parts(source: LayerGraph, computed: Computed, steps: Sequence[Step]) -> bool:
    """Whether all come from the parts of one weight that the source computes in the same way."""
    if source.effective is None or any(len(step.sources) != 1 for step in steps):
        return False
    names = {step.sources[0] for step in steps}
    alike = (t.computed for t in source.effective.tensors if t.computed is not None)
    return any(_is_same(one, computed) and {part.name for part in one.parts} == names for one in alike)


def _is_same(one: Computed, other: Computed) -> bool:
    return (one.transform, one.parameters) == (other.transform, other.parameters)
