"""Where a graph has attention: a softmax between two products, projections before and behind them."""

from collections.abc import Iterator, Sequence, Set
from itertools import chain
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.vocabulary import PRODUCTS, VIEWS

HANDED_ON = VIEWS | {"Identity"}
FOLLOWED = HANDED_ON | {"Rescaling", "Slice"}
BETWEEN = HANDED_ON | {"Dropout"}
SCORED = HANDED_ON | {"Rescaling"}
MASKING = frozenset({"Add", "Where"})  # by class: a mask is added to the scores, or chooses between them
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Path:
    """Layers in a row, from what `source` gives up to the last of `layers`."""

    source: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attention:
    """One attention, by the names of its layers.

    left, right: what the first product multiplies, from their projections on; value: the same of the second.
    scores, output: both products; before: from the scores to the softmax, with what is added on the way;
    behind: from the second product to the projection `out`. masks: the scores on their way into each layer of
    `before` that masks them.
    guard: layers behind the softmax that give zeros to a row without keys: where it has no number, or where a
    mask says so again.
    """

    left: Path
    right: Path
    value: Path
    scores: str
    before: Path
    softmax: str
    between: Path
    output: str
    behind: Path
    out: str
    masks: tuple[Edge, ...] = ()
    guard: tuple[str, ...] = ()

    @property
    def inner(self) -> frozenset[str]:
        """All layers but the last projection."""
        paths = (self.left, self.right, self.value, self.before, self.between, self.behind)
        sources = {path.source for path in paths}
        layers = chain.from_iterable(path.layers for path in paths)
        return frozenset({*sources, *layers, self.scores, self.softmax, *self.guard, self.output})

    @property
    def projections(self) -> tuple[str, ...]:
        """Those before the products, each once."""
        return tuple(dict.fromkeys(path.source for path in (self.left, self.right, self.value)))


def attentions(graph: LayerGraph, used: Set[str]) -> tuple[Attention, ...]:
    """Those whose pieces nothing else reads. used: the layers that an output depends on."""
    scored = _scored(graph)
    found = (_around(graph, layer, scored) for layer in graph.layers if _is_softmax(layer))
    return tuple(one for one in found if one is not None and _is_closed(graph, one, used))


def _is_softmax(layer: Layer) -> bool:
    return layer.op == "Activation" and layer.attributes.get("activation") == "softmax"


def _scored(graph: LayerGraph) -> Set[str]:
    """The layers whose value comes from one product, with nothing but scales, views and masks on the way."""
    found: set[str] = set()
    for layer in graph.layers:
        edges = graph.edges_into[layer.name]
        count = sum(edge.source in found for edge in edges)
        is_handed_on = layer.op in FOLLOWED and len(edges) == 1
        if layer.op in PRODUCTS or (count == 1 and (is_handed_on or _is_masking(layer))):
            found.add(layer.name)
    return found


def _around(graph: LayerGraph, softmax: Layer, scored: Set[str]) -> Attention | None:
    guard = _guard(graph, softmax.name)
    weights = guard[-1] if guard else softmax.name
    between, output = _down(graph, weights, BETWEEN)
    masks, before = _scores(graph, softmax.name, scored)
    if before is None or output is None or output.op not in PRODUCTS:
        return None
    behind, out = _down(graph, output.name, HANDED_ON)
    last = between[-1] if between else weights
    left, right = _operands(graph, before.source)
    others = [edge.source for edge in graph.edges_into[output.name] if edge.source != last]
    value = _up(graph, others[0]) if len(others) == 1 else None
    if out is None or out.op != "Dense" or left is None or right is None or value is None:
        return None
    return Attention(
        left=left,
        right=right,
        value=value,
        scores=before.source,
        before=before,
        softmax=softmax.name,
        between=Path(softmax.name, between),
        output=output.name,
        behind=Path(output.name, behind),
        out=out.name,
        masks=masks,
        guard=guard,
    )


def _guard(graph: LayerGraph, softmax: str) -> tuple[str, ...]:
    """The layers that give 0 where the softmax of a row has no number, or where it is masked."""
    readers = {graph.by_name[name].class_name: name for name in graph.children[softmax]}
    choosing, asking = readers.get("Where", ""), readers.get("IsNaN", "")
    if not choosing or len(graph.children[softmax]) != len(readers):
        return ()
    edges = {edge.keyword: edge.source for edge in graph.edges_into[choosing]}
    settings = graph.by_name[choosing].settings
    if len(readers) == 1:
        return (choosing,) if edges.get("x") == softmax and _is_nothing(settings.get("y")) else ()
    is_guard = edges == {"condition": asking, "y": softmax} and _is_nothing(settings.get("x"))
    return (asking, choosing) if is_guard else ()


def _is_nothing(told: Any) -> bool:
    """Whether a constant is zero, alone or in an axis of length one."""
    while isinstance(told, tuple) and len(told) == 1:
        told = told[0]
    return isinstance(told, int | float) and told == 0


def _down(graph: LayerGraph, name: str, passed: frozenset[str]) -> tuple[tuple[str, ...], Layer | None]:
    """The layers behind one that only hand its values on, and the first that does more."""
    layers: list[str] = []
    while len(layers) < DEEPEST:
        children = graph.children[name]
        if len(children) != 1:
            return (), None
        layer = graph.by_name[children[0]]
        if layer.op not in passed:
            return tuple(layers), layer
        layers.append(layer.name)
        name = layer.name
    return (), None


def _scores(graph: LayerGraph, softmax: str, scored: Set[str]) -> tuple[tuple[Edge, ...], Path | None]:
    """The scores as they come into each layer that masks them, and their way to the softmax."""
    layers: list[str] = []
    masks: list[Edge] = []
    edges: Sequence[Edge] = graph.edges_into[softmax]
    while len(edges) == 1 and len(layers) < DEEPEST:
        layer = graph.by_name[edges[0].source]
        if layer.op in PRODUCTS:
            return tuple(masks), Path(layer.name, tuple(reversed(layers)))
        edges = _scores_into(graph, layer, scored)
        if _is_masking(layer):
            masks += edges
        layers.append(layer.name)
    return (), None


def _scores_into(graph: LayerGraph, layer: Layer, scored: Set[str]) -> Sequence[Edge]:
    """By which of its inputs the scores come; none for a layer that does not hand them on."""
    edges = graph.edges_into[layer.name]
    if _is_masking(layer):
        return [edge for edge in edges if edge.source in scored]
    return edges if layer.op in SCORED else ()


def _is_masking(layer: Layer) -> bool:
    return layer.op == "Add" or (layer.op == "Opaque" and layer.class_name in MASKING)


def _operands(graph: LayerGraph, product: str) -> tuple[Path | None, Path | None]:
    edges = graph.edges_into[product]
    if len(edges) != 2:
        return None, None
    left, right = (_up(graph, edge.source) for edge in edges)
    return left, right


def _up(graph: LayerGraph, name: str) -> Path | None:
    """The way from a projection, or from the softmax, to one operand of a product."""
    layers: list[str] = []
    while len(layers) < DEEPEST:
        layer = graph.by_name[name]
        if layer.op == "Dense" or _is_softmax(layer):
            return Path(name, tuple(reversed(layers)))
        edges = graph.edges_into[name]
        if layer.op not in FOLLOWED | BETWEEN or len(edges) != 1 or edges[0].port:
            return None
        layers.append(name)
        name = edges[0].source
    return None


def _is_closed(graph: LayerGraph, attention: Attention, used: Set[str]) -> bool:
    """Whether no other layer reads a piece of it, and no output gives one."""
    inner = attention.inner
    outputs = {port.layer for port in graph.output_ports}
    readers: Iterator[Sequence[str]] = (graph.children[name] for name in inner)
    return not inner & outputs and all(set(names) & used <= inner | {attention.out} for names in readers)
