"""The order in which Keras lists the layers of a graph: by their distance from the outputs, equals as a search from the outputs meets them.

Files of Keras weights alone keep this order (that of `model.layers`); other formats list layers in an order of their own.
"""

from weightbridge.graph import LayerGraph
from weightbridge.matching.units import Reduced, Unit

STEPS = frozenset({"Activation", "Pool", "GlobalPool", "Flatten"})  # layers without weights that both frameworks write as one
NORMED = frozenset({"Conv", "ConvTranspose", "DepthwiseConv"})


def in_keras_order(reduced: Reduced) -> tuple[Unit, ...]:
    """The units of a graph with data flow as Keras would list them."""
    graph = reduced.graph
    depth, met = _depths(graph, reduced), _met(graph)
    return tuple(sorted(reduced.units, key=lambda u: (-depth[u.layer.name], met[u.layer.name], reduced.position[u.name])))


def _depths(graph: LayerGraph, reduced: Reduced) -> dict[str, int]:
    """The longest way to an output. A convolution whose norm is folded into it counts for both."""
    merges = {u.layer.name for u in reduced.units if not u.has_weights}
    found: dict[str, int] = {}
    for layer in reversed(graph.layers):
        reading = graph.children[layer.name]
        length = int(bool(layer.tensors) or layer.name in merges or layer.op in STEPS)
        has_norm = any(graph.by_name[name].op in ("BatchNorm", "Scale", "Shift") for name in reading)
        length += layer.op in NORMED and not has_norm
        found[layer.name] = length + max((found.get(name, 0) for name in reading), default=0)
    return found


def _met(graph: LayerGraph) -> dict[str, int]:
    """The order in which a search from the outputs up through all inputs first meets each layer."""
    found: dict[str, int] = {}
    ends = [layer.name for layer in graph.layers if not graph.children[layer.name]]
    waiting = list(reversed(ends))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = len(found)
            waiting += reversed(graph.parents[name])
    return found
