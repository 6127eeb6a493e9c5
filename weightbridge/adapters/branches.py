"""Residual branches that only the target has, and the blocks of the same form that have a source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from weightbridge.adapters.groups import activation_of
from weightbridge.adapters.setting import Setting
from weightbridge.graph import Layer, LayerGraph

IDEMPOTENT = frozenset({"relu", "None", "linear"})  # f(f(x)) = f(x), so that a block which adds zero changes nothing
ZERO_KEEPING = frozenset({"None", "linear", "relu", "relu6", "tanh", "swish", "gelu", "gelu_tanh"})
VIEWS = frozenset({"Identity", "Dropout", "Cast", "Noise"})
LINEAR = frozenset({"BatchNorm", "Conv", "Dense", "EinsumDense", "SeparableConv", "DepthwiseConv", "LayerNorm"})


@dataclass(frozen=True, slots=True)
class Branch:
    """The layers with weights between a shortcut and the Add it joins again; `last` is the one whose zeros silence it."""

    merge: str
    layers: tuple[Layer, ...]
    last: Layer


def extra_branches(setting: Setting) -> Iterator[Branch]:
    """Branches none of whose layers has a source, with a shortcut that changes nothing."""
    paired = set(setting.pairs)
    for branch in residual_branches(setting.target):
        tensors = [t.name for layer in branch.layers for t in layer.tensors]
        if paired.isdisjoint(layer.name for layer in branch.layers) and setting.open_targets.issuperset(tensors):
            yield branch


def residual_branches(graph: LayerGraph) -> Iterator[Branch]:
    for merge in graph.layers:
        feeding = graph.parents[merge.name]
        if merge.op == "Add" and len(feeding) == 2 and _keeps_after(graph, merge):
            for branch, shortcut in (feeding, feeding[::-1]):
                found = _branch(graph, merge.name, branch, shortcut)
                if found is not None:
                    yield found
                    break


def _branch(graph: LayerGraph, merge: str, branch: str, shortcut: str) -> Branch | None:
    """None where the shortcut is no ancestor of the branch, something else reads inside, or nothing can silence it."""
    start = _through_views(graph, shortcut)
    inside = _between(graph, branch, start)
    last = graph.by_name[_through_views(graph, branch)]
    if inside is None or last.name not in inside or last.op not in LINEAR or not last.tensors or not _is_silent(last):
        return None
    if not _leaves_idempotent(graph, merge, start):
        return None
    return Branch(merge, tuple(layer for layer in graph.layers if layer.name in inside and layer.tensors), last)


def _is_silent(layer: Layer) -> bool:
    """All zeros in, zeros out: what the layer adds is a tensor that can be zero, and its activation keeps zero."""
    return activation_of(layer) in ZERO_KEEPING


def _between(graph: LayerGraph, end: str, start: str) -> set[str] | None:
    """All layers on paths from `start` to `end`; None where a path misses `start`."""
    inside: set[str] = set()
    todo = [end]
    while todo:
        name = todo.pop()
        if name == start or name in inside:
            continue
        if not graph.parents[name]:
            return None
        inside.add(name)
        todo += graph.parents[name]
    return inside or None


def _through_views(graph: LayerGraph, name: str) -> str:
    while graph.by_name[name].op in VIEWS and len(graph.parents[name]) == 1:
        name = graph.parents[name][0]
    return name


def activation_after(graph: LayerGraph, name: str) -> str:
    """The activation that follows at once, `None` where none does."""
    after = [graph.by_name[child] for child in graph.children[name]]
    if len(after) == 1 and after[0].op == "Activation":
        return activation_of(after[0])
    return "None"


def _keeps_after(graph: LayerGraph, merge: Layer) -> bool:
    """Nothing but an idempotent activation may follow: a normalisation after the sum is no identity."""
    after = [graph.by_name[child] for child in graph.children[merge.name]]
    normalised = len(after) == 1 and after[0].op in ("LayerNorm", "BatchNorm") and len(graph.children[after[0].name]) > 1
    return activation_after(graph, merge.name) in IDEMPOTENT and not normalised


def _leaves_idempotent(graph: LayerGraph, merge: str, start: str) -> bool:
    """With an activation after the sum, the shortcut's values must have passed it already."""
    after = activation_after(graph, merge)
    if after in ("None", "linear"):
        return True
    return activation_of(graph.by_name[start]) == after


def siblings(setting: Setting, branch: Branch) -> Mapping[str, Layer]:
    """Per layer of the branch the layer at its place in the nearest branch of the same form whose layers have a source."""
    alike = [b for b in residual_branches(setting.target) if _form(b) == _form(branch)]
    candidates = [b for b in alike if all(layer.name in setting.pairs for layer in b.layers)]
    place = {layer.name: n for n, layer in enumerate(setting.target.layers)}
    if not candidates:
        return {}
    nearest = min(candidates, key=lambda b: abs(place[b.merge] - place[branch.merge]))
    return {ours.name: theirs for ours, theirs in zip(branch.layers, nearest.layers, strict=True)}


def _form(branch: Branch) -> tuple[object, ...]:
    return tuple((layer.op, tuple((t.role, t.shape) for t in layer.tensors)) for layer in branch.layers)
