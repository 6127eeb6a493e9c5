"""Two recurrent layers over one sequence, one of them backwards, whose outputs are joined: Bidirectional."""

from collections.abc import Mapping

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import RECURRENT

SAME = ("units", "activation", "recurrent_activation", "use_bias", "reset_after", "layout", "gates", "mask")
Pair = tuple[Layer, Layer]  # forwards, backwards


def pairs(graph: LayerGraph) -> Mapping[str, Pair]:
    """By the layer that joins them, which alone reads both."""
    found = {}
    for layer in graph.layers:
        parents = [graph.by_name[name] for name in graph.parents[layer.name]]
        if layer.op == "Concat" and layer.class_name in RECURRENT and _are_pair(graph, parents):
            found[layer.name] = (parents[0], parents[1])
    return found


def _are_pair(graph: LayerGraph, layers: list[Layer]) -> bool:
    if len(layers) != 2 or any(layer.op not in RECURRENT for layer in layers):
        return False
    forward, backward = layers
    fed = [{(e.source, e.port, e.keyword) for e in graph.edges_into[one.name]} for one in layers]
    is_alone = all(len(graph.children[one.name]) == 1 for one in layers)
    are_turned = not forward.settings.get("go_backwards") and bool(backward.settings.get("go_backwards"))
    are_alike = all(forward.settings.get(key) == backward.settings.get(key) for key in SAME)
    return is_alone and are_turned and are_alike and fed[0] == fed[1] and len(fed[0]) == 1
