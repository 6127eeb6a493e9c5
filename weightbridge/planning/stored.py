"""A plan from its file, where it still is about these models and can be carried out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from weightbridge.adapters.apply.arithmetic import ADAPTERS
from weightbridge.boundary.checked import listed
from weightbridge.errors import PlanError, RuleError
from weightbridge.formats.hashing import content_hash
from weightbridge.model.axes import parse
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor, dtype_of
from weightbridge.plan import FITTED, Contract, Plan, Step, is_filled
from weightbridge.plan.entries import STEP, place_of, unfit
from weightbridge.plan.file import MAKE_ANEW, checked
from weightbridge.planning.derived import with_derived
from weightbridge.planning.rehearsal import rehearse
from weightbridge.transforms import TRANSFORMS, is_bitwise

Tensors = Mapping[str, Tensor]


def stored_plan(given: Plan | Path, source: LayerGraph, target: LayerGraph) -> Plan:
    """A plan, or that of a file, with what follows from an edit put right.

    Raises PlanError for what is no plan, for models that have changed, and for steps that are wrong.
    """
    plan = checked(given) if isinstance(given, Plan) else Plan.load(given)
    _refuse_unknown_transforms(plan.steps, "the plan" if isinstance(given, Plan) else str(given))
    _refuse_changed_models(plan, source, target)
    source_tensors, target_tensors = source.tensor_by_name, target.tensor_by_name
    problems = [*_incomplete(plan, target_tensors), *_unknown_sources(plan, source, source_tensors)]
    problems = problems or list(rehearse(plan, source_tensors, target_tensors))
    if problems:
        raise PlanError(listed(problems), fix="mend the plan, or " + MAKE_ANEW)
    steps = (_settled(step, source_tensors, target_tensors[step.target]) for step in plan.steps)
    return with_derived(replace(plan, steps=tuple(steps)), source, target)


def with_fresh(plan: Plan, names: Collection[str]) -> Plan:
    """The plan with these target tensors left as they are initialised, and nothing asked of them."""
    if not names:
        return plan
    steps = tuple(_fresh(step) if step.target in names else step for step in plan.steps)
    still_open = (q for q in plan.questions if not all(target in names for target in q.choices[0].sources))
    return replace(plan, steps=steps, questions=tuple(still_open))


def _fresh(step: Step) -> Step:
    return Step(step.target, (), "fresh", "fresh", step.shape, step.size)


def _refuse_unknown_transforms(steps: Sequence[Step], where: str) -> None:
    expected, _ = STEP["transform"]
    problems = [
        unfit(place_of("steps", n, {"target": step.target}, "target"), "transform", step.transform, expected)
        for n, step in enumerate(steps)
        if not _is_transform(step.transform)
    ]
    if problems:
        raise PlanError(listed(problems), where=where, fix=MAKE_ANEW)


def _is_transform(transform: str) -> bool:
    if "->" not in transform:
        return not transform or transform == FITTED or transform in TRANSFORMS or transform in ADAPTERS
    try:
        parse(transform)
    except RuleError:
        return False
    return True


def _refuse_changed_models(plan: Plan, source: LayerGraph, target: LayerGraph) -> None:
    _refuse_changed(source, "source", plan.source_structure, plan.source_sha256)
    _refuse_changed(target, "target", plan.target_structure, plan.target_sha256)


def _refuse_changed(graph: LayerGraph, side: str, structure: str, content: str | None) -> None:
    changed = f"the {side} {graph.path} has changed since the plan was made"
    if graph.structure != structure:
        raise PlanError(f"{changed}: other layers, tensors or attributes", fix=MAKE_ANEW)
    if content is not None and content_hash(graph) != content:
        raise PlanError(f"{changed}: the same structure, other bytes", fix=MAKE_ANEW)


def _incomplete(plan: Plan, target_tensors: Tensors) -> Iterator[str]:
    """Every target tensor once, with its shape."""
    planned = Counter(step.target for step in plan.steps)
    yield from (f"{count} steps for {name}" for name, count in planned.items() if count > 1)
    yield from (f"no step for {name}" for name in target_tensors if name not in planned)
    for name in planned:
        if name not in target_tensors:
            yield f"a step for {name}, which the target does not have"
    for step in plan.steps:
        tensor = target_tensors.get(step.target)
        if tensor is not None and tensor.shape != step.shape:
            yield f"{step.target}: shape {step.shape}, expected {tensor.shape}"


def _unknown_sources(plan: Plan, source: LayerGraph, source_tensors: Tensors) -> Iterator[str]:
    """Names that the source does not have."""
    for step in plan.steps:
        for name in step.sources:
            if name not in source_tensors:
                yield f"{step.target}: the source has no {name}"
    stored = source_tensors.keys() | {entry.name for entry in source.excluded}
    for entry in plan.unused:
        if entry.source not in stored:
            yield f"unused: the source has no {entry.source}"


def _settled(step: Step, source_tensors: Tensors, target: Tensor) -> Step:
    """The step with what follows from its kind and the dtypes, so that an edit of one word is enough."""
    if is_filled(step):
        return step
    if step.kind in ("fresh", "keep"):
        return _without_source(step)
    is_claimed = step.contract not in ("fresh", "untouched", "bitwise")
    if is_claimed:
        return step
    if not is_bitwise(step.transform, step.parameters):
        return replace(step, contract="lossy")
    converted = {source_tensors[name].dtype for name in step.sources} - {target.dtype}
    if not converted:
        return replace(step, kind="transform" if step.transform else "copy", contract="bitwise")
    room = dtype_of(target.dtype).itemsize
    is_widened = all(dtype_of(dtype).itemsize < room for dtype in converted)
    return replace(step, kind="transform", contract="preserving" if is_widened else "lossy")


def _without_source(step: Step) -> Step:
    """`fresh` and `keep` read nothing."""
    contract: Contract = "fresh" if step.kind == "fresh" else "untouched"
    empty = Step(step.target, (), step.kind, contract, step.shape, step.size)
    return replace(empty, runners_up=step.runners_up)
