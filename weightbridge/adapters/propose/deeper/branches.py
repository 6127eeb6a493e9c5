"""Residual branches: what stands between a shortcut and the sum it joins again."""

from collections.abc import Iterator
from dataclasses import dataclass

from weightbridge.adapters.projections import OUTPUT, projections
from weightbridge.adapters.propose.layer_channels import activation_of
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import DENSE, FORWARD_CONVOLUTIONS, PASSING

IDEMPOTENT = frozenset(
    {"relu", "None", "linear"}
)  # f(f(x)) = f(x), so that a block which adds zero changes nothing
ZERO_KEEPING = frozenset({"None", "linear", "relu", "relu6", "tanh", "swish", "gelu", "gelu_tanh"})
LINEAR = FORWARD_CONVOLUTIONS | DENSE | {"BatchNorm", "LayerNorm"}


@dataclass(frozen=True, slots=True)
class Branch:
    """The layers with weights between a shortcut and the Add it joins again.

    last: the one whose zeros silence the branch.
    """

    merge: str
    layers: tuple[Layer, ...]
    last: Layer

    @property
    def form(self) -> tuple[object, ...]:
        """What another branch must have in common with this one to lend it weights."""
        return tuple((layer.op, tuple((t.role, t.shape) for t in layer.tensors)) for layer in self.layers)


def residual_branches(graph: LayerGraph) -> Iterator[Branch]:
    """All branches with a shortcut that changes nothing, whatever has a source."""
    for merge in graph.layers:
        feeding = graph.parents[merge.name]
        if merge.op != "Add" or len(feeding) != 2 or not _keeps_after(graph, merge):
            continue
        one, two = feeding
        branch = _branch(graph, merge.name, one, two) or _branch(graph, merge.name, two, one)
        if branch is not None:
            yield branch


def _branch(graph: LayerGraph, merge: str, branch: str, shortcut: str) -> Branch | None:
    """None where the shortcut is no ancestor of the branch, or nothing can silence it."""
    start = _through_views(graph, shortcut)
    inside = _between(graph, branch, start)
    last = graph.by_name[_through_views(graph, branch)]
    if last.op == "Attention":
        last = projections(graph, last.name).get(OUTPUT, last)
    if (
        inside is None
        or last.name not in inside
        or last.op not in LINEAR
        or not last.tensors
        or not _is_silent(last)
    ):
        return None
    if not _leaves_idempotent(graph, merge, start):
        return None
    layers = (graph.by_name[name] for name in sorted(inside, key=graph.place.__getitem__))
    return Branch(merge, tuple(layer for layer in layers if layer.tensors), last)


def _is_silent(layer: Layer) -> bool:
    """All zeros in, zeros out: the activation keeps what tensors of zero give."""
    return activation_of(layer) in ZERO_KEEPING


def _between(graph: LayerGraph, end: str, start: str) -> set[str] | None:
    """All layers on paths from `start` to `end`; None where a path misses `start`."""
    inside: set[str] = set()
    todo = [end]
    while todo:
        name = todo.pop()
        if name == start or name in inside:
            continue
        if graph.place[name] < graph.place[start] or not graph.parents[name]:
            return None
        inside.add(name)
        todo += graph.parents[name]
    return inside or None


def _through_views(graph: LayerGraph, name: str) -> str:
    while graph.by_name[name].op in PASSING and len(graph.parents[name]) == 1:
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
    normalised = (
        len(after) == 1
        and after[0].op in ("LayerNorm", "BatchNorm")
        and len(graph.children[after[0].name]) > 1
    )
    return activation_after(graph, merge.name) in IDEMPOTENT and not normalised


def _leaves_idempotent(graph: LayerGraph, merge: str, start: str) -> bool:
    """With an activation after the sum, the shortcut's values must have passed it already."""
    after = activation_after(graph, merge)
    if after in ("None", "linear"):
        return True
    return activation_of(graph.by_name[start]) == after
