"""Where a norm stands: right behind the layer that owns it, or behind an activation or a pool."""

from weightbridge.matching.units.units import Reduced
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import ACTIVATED, COPIES, POOLS

# A norm before them is another function than one behind them
BARRIERS = POOLS | {"Activation"}
SEEN_THROUGH = COPIES | {"Dropout", "Permute", "Reshape"}


def is_placed_alike(source: Reduced, given: str, target: Reduced, wanted: str) -> bool:
    """False where one of two norms stands right behind its layer and the other behind an activation or a
    pool: one was folded away.
    """
    one, other = source.by_name[given], target.by_name[wanted]
    if not one.family == other.family == "Norm":
        return True
    places = {_before(source.graph, one.layer), _before(target.graph, other.layer)}
    return places != {"layer", "barrier"}


def _before(graph: LayerGraph, layer: Layer) -> str:
    """`layer`, `barrier`, or "" for anything else."""
    for _ in range(len(graph.layers)):
        parents = graph.parents[layer.name]
        if len(parents) != 1:
            return ""
        layer = graph.by_name[parents[0]]
        if _is_barrier(layer):
            return "barrier"
        if layer.op not in SEEN_THROUGH:
            return "layer" if layer.op in ACTIVATED else ""
    return ""


def _is_barrier(layer: Layer) -> bool:
    return layer.op in BARRIERS or layer.attributes.get("activation", "linear") not in ("linear", None)
