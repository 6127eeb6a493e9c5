"""Which layers of two models are to compute the same one by one, and stand in the same places."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from weightbridge.adapters.propose.deeper.added_steps import is_added
from weightbridge.commands.proof.claims import is_exact
from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.matching.differences.functions import is_same
from weightbridge.model.activations import Function, function_of, softmax
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import ACTIVATED, DENSE
from weightbridge.plan import BY_DEPTH, Plan, Step
from weightbridge.verify import Counterparts

# Settings that make another function of a layer's weights, or another shape of what it gives
SETTINGS = (
    "padding", "strides", "dilation", "groups", "return_sequences", "go_backwards", "reset_after",
    "recurrent_activation", "heads",
)  # fmt: skip
INPUT = ""  # in place of a layer's name
SHOWN = 3
Joined = Mapping[str, Collection[str]]


def counterparts(
    source: LayerGraph, target: LayerGraph, plan: Plan, differing: Collection[str]
) -> tuple[Counterparts, ...]:
    """Layers all of whose tensors arrive exactly from layers of their kind, with these.

    differing: the layers that are known to compute something else.
    """
    steps = _steps_by_layer(target, plan)
    return tuple(pair for layer in target.layers for pair in _of_layer(source, layer, steps, differing))


def misplaced(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Finding, ...]:
    """WB402 where a layer is fed by other layers than the one whose weights it gets.

    Only where all of these have counterparts: an added or removed layer is no contradiction. Nothing where
    most layers are adapted, as those of another architecture are.
    """
    exact = _exact_layers(target, plan)
    given = {target.owner[step.target].name for step in plan.steps if step.sources}
    if not (source.has_flow and target.has_flow) or 2 * len(exact) < len(given):
        return ()
    wrong = list(_contradictions(source, target, plan, exact))
    return (_said_of_places(wrong),) if wrong else ()


def _said_of_places(wrong: Sequence[tuple[str, tuple[str, set[str], set[str]]]]) -> Finding:
    """Layers that get another's weights first: those behind them are merely fed by them."""
    moved = [(name, places) for name, places in wrong if name != places[0]]
    found = [_said_of(name, *places) for name, places in moved or wrong]
    more = f"; {len(found) - SHOWN} more are fed by others too" if len(found) > SHOWN else ""
    message = f"{'; '.join(text for _, text in found[:SHOWN])}{more}"
    fix = "map each layer to the one in its own place, or leave --map out"
    return finding("WB402", message, target=found[0][0], fix=fix)


def _steps_by_layer(target: LayerGraph, plan: Plan) -> dict[str, list[Step]]:
    steps: dict[str, list[Step]] = {}
    for step in plan.steps:
        if step.target in target.owner:
            steps.setdefault(target.owner[step.target].name, []).append(step)
    return steps


def _of_layer(
    source: LayerGraph, layer: Layer, steps: Mapping[str, list[Step]], differing: Collection[str]
) -> Iterator[Counterparts]:
    own = steps.get(layer.name, [])
    is_whole = own and all(is_exact(step) and len(step.sources) == 1 for step in own)
    if not is_whole or layer.name in differing:
        return
    names = [step.sources[0] for step in own]
    for giver in {source.owner[name].name: source.owner[name] for name in names}.values():
        if giver.name not in differing and _is_alike(giver, layer):
            yield from _joined(giver, layer)


def _is_alike(giver: Layer, layer: Layer) -> bool:
    """Whether the two are of one kind, with tensors of the same roles and settings."""
    if giver.op != layer.op or {t.role for t in giver.tensors} != {t.role for t in layer.tensors}:
        return False
    ours, theirs = giver.settings, layer.settings
    return all(is_same(ours[key], theirs[key]) for key in SETTINGS if key in ours and key in theirs)


def _joined(giver: Layer, layer: Layer) -> Iterator[Counterparts]:
    """With the activation that is a part of one of them alone; nothing where no function makes them alike."""
    ours, theirs = (one.attributes.get("activation", "linear") for one in (giver, layer))
    if is_same(ours, theirs):
        yield Counterparts(giver.name, layer.name)
    elif layer.op in ACTIVATED and "linear" in (ours, theirs):
        yield from _activated(giver.name, layer.name, layer.op, ours, theirs)


def _activated(giver: str, layer: str, op: str, ours: Any, theirs: Any) -> Iterator[Counterparts]:
    function = _function_of(theirs if ours == "linear" else ours, op)
    if function is not None and ours == "linear":
        yield Counterparts(giver, layer, after_source=function)
    elif function is not None:
        yield Counterparts(giver, layer, after_target=function)


def _function_of(activation: Any, op: str) -> Function | None:
    """Also a softmax over the features, which stand last wherever a dense layer is run."""
    return softmax if activation == "softmax" and op in DENSE else function_of(activation)


def _exact_layers(target: LayerGraph, plan: Plan) -> frozenset[str]:
    """The layers that get something, and nothing adapted."""
    steps = _steps_by_layer(target, plan)
    return frozenset(
        name
        for name, own in steps.items()
        if any(step.sources for step in own) and all(is_exact(step) for step in own if step.sources)
    )


def _contradictions(
    source: LayerGraph, target: LayerGraph, plan: Plan, exact: Collection[str]
) -> Iterator[tuple[str, tuple[str, set[str], set[str]]]]:
    """Each target layer fed by others, with the source layer it comes from and what feeds these two.

    A layer of an added block starts as a copy from another place, as those of a depth map do; that is no
    contradiction.
    """
    added = {target.owner[step.target].name for step in plan.steps if _is_copy_in_added(step)}
    gives, gets = _relations(source, target, plan)
    before, behind = _feeders(source), _feeders(target)
    for name in (layer.name for layer in target.layers if layer.name in exact and layer.name not in added):
        giver = _only_giver(source, target.by_name[name], gets[name])
        if giver and not added & behind[name] and _contradict(before[giver], behind[name], gives, gets):
            yield name, (giver, before[giver], behind[name])


def _is_copy_in_added(step: Step) -> bool:
    return is_added(step) or (step.kind == "adapt" and BY_DEPTH in step.evidence)


def _only_giver(source: LayerGraph, layer: Layer, givers: Collection[str]) -> str:
    """The one of them that is of the layer's kind, "" for none or several."""
    alike = [name for name in givers if source.by_name[name].op == layer.op]
    return alike[0] if len(alike) == 1 else ""


def _contradict(ours: set[str], theirs: set[str], gives: Joined, gets: Joined) -> bool:
    if not (_is_known(ours, gives) and _is_known(theirs, gets)):
        return False
    return not (_covers(ours, theirs, gives) and _covers(theirs, ours, gets))


def _relations(source: LayerGraph, target: LayerGraph, plan: Plan) -> tuple[Joined, Joined]:
    """By each layer's name the layers that a step joins it to: of the source, then of the target."""
    gives: dict[str, set[str]] = {INPUT: {INPUT}}
    gets: dict[str, set[str]] = {INPUT: {INPUT}}
    for step in plan.steps:
        for name in step.sources:
            ours, theirs = source.owner.get(name), target.owner.get(step.target)
            if ours is not None and theirs is not None:
                gives.setdefault(ours.name, set()).add(theirs.name)
                gets.setdefault(theirs.name, set()).add(ours.name)
    return gives, gets


def _feeders(graph: LayerGraph) -> dict[str, set[str]]:
    """The nearest layers with weights before each layer, through those without."""
    seen: dict[str, set[str]] = {}  # what a reader of this layer finds
    found: dict[str, set[str]] = {}
    for layer in graph.layers:
        parents = (seen.get(parent, set()) for parent in graph.parents[layer.name])
        found[layer.name] = set[str]().union(*parents)
        owner: Any = layer.attributes.get("shared_with", layer.name)
        if layer.tensors or owner != layer.name:
            seen[layer.name] = {owner}
        else:
            seen[layer.name] = {INPUT} if layer.op == "Input" else found[layer.name]
    return found


def _is_known(names: Collection[str], joined: Joined) -> bool:
    return bool(names) and all(name in joined for name in names)


def _covers(names: set[str], others: set[str], joined: Joined) -> bool:
    """Whether each of them has a counterpart among the others."""
    return all(not others.isdisjoint(joined[name]) for name in names)


def _said_of(name: str, giver: str, ours: set[str], theirs: set[str]) -> tuple[str, str]:
    before, behind = _listed(ours), _listed(theirs)
    return (
        name,
        f"{name} gets the weights of {giver}, which is fed by {before} where {name} is fed by {behind}",
    )


def _listed(names: set[str]) -> str:
    shown = sorted(name or "the input" for name in names)
    return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")
