"""Steps that read computed weights, as steps that read what is stored: `conv.weight` -> its g and v."""

from dataclasses import replace
from typing import Any

from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Contract, Plan, Step, Unused

UserMap = tuple[tuple[str, str], ...]


def stored_plan_of(plan: Plan, effective: LayerGraph, stored: LayerGraph) -> Plan:
    """The plan over the tensors of the file, made over the weights that are computed from them."""
    tensors = effective.tensor_by_name
    steps = tuple(_stored(step, tensors) for step in plan.steps)
    unused = [Unused(part.name, u.reason) for u in plan.unused for part in _parts_of(u.source, tensors)]
    named = {name for step in steps for name in step.sources} | {entry.source for entry in unused}
    rest = [Unused(e.name, e.reason) for e in stored.excluded if e.name not in named]
    kept = [u for u in plan.unused if u.source not in tensors]
    unused = list(dict.fromkeys((*unused, *kept, *rest)))
    return replace(plan, steps=steps, unused=tuple(unused), source_structure=stored.structure)


def named_as_used(user_map: UserMap, effective: LayerGraph) -> UserMap:
    """The user's map with the weights' names in place of those of stored parts."""
    weights = {part.name: t.name for t in effective.tensors if t.computed for part in stored_parts(t)}
    return tuple((weights.get(left, left), right) for left, right in user_map)


def _parts_of(name: str, tensors: Any) -> tuple[Tensor, ...]:
    """The stored tensors of a weight."""
    if name not in tensors:
        return ()
    return tuple(stored_parts(tensors[name]))


def stored_parts(tensor: Tensor) -> list[Tensor]:
    """Those that it is computed from, which may be computed themselves."""
    if tensor.computed is None:
        return [tensor]
    return [part for own in tensor.computed.parts for part in stored_parts(own)]


def _stored(step: Step, tensors: Any) -> Step:
    weights = [tensors[name] for name in step.sources]
    if not any(weight.computed for weight in weights):
        return step
    sources = tuple(part.name for weight in weights for part in stored_parts(weight))
    recipes = [_recipe(weight) for weight in weights]
    if step.kind == "adapt":
        return replace(step, sources=sources, parameters={**step.parameters, "weights": recipes})
    runners_up = tuple(part.name for name in step.runners_up for part in _parts_of(name, tensors)[:1])
    plain = replace(step, sources=sources, runners_up=runners_up)
    if not any(recipe["transform"] for recipe in recipes):
        return plain
    name, parameters = _after(recipes, {"then": step.transform, "with": step.parameters})
    contract: Contract = "lossy" if step.contract == "lossy" else "preserving"
    return replace(plain, kind="transform", contract=contract, transform=name, parameters=parameters)


def _after(recipes: list[dict[str, Any]], behind: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The transform of weights that are computed first: by its own name where there is one weight."""
    first = recipes[0]
    if len(recipes) == 1 and first["transform"] != "computed":
        return first["transform"], {**first["parameters"], **behind}
    return "computed", {"weights": recipes, **behind}


def _recipe(weight: Tensor) -> dict[str, Any]:
    """How a weight is computed, over all the stored tensors that it is made of."""
    if weight.computed is None:
        return {"transform": "", "parameters": {}, "parts": 1}
    own = weight.computed
    inner = [_recipe(part) for part in own.parts]
    count = sum(recipe["parts"] for recipe in inner)
    if all(not recipe["transform"] for recipe in inner):
        return {"transform": own.transform, "parameters": own.parameters, "parts": count}
    parameters = {"weights": inner, "then": own.transform, "with": own.parameters}
    return {"transform": "computed", "parameters": parameters, "parts": count}
