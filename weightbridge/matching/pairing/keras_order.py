"""The order in which Keras lists the layers of a graph: by their distance from the outputs, equals as a
search from the outputs meets them.

Files of Keras weights alone keep this order (that of `model.layers`); other formats list layers in an order
of their own.
"""

from collections.abc import Mapping, Sequence

from weightbridge.matching.context import Context
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.directions import is_backward
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import CHANNEL_AFFINE, POOLS, RECURRENT, SINGLE_KERNEL_CONVOLUTIONS

# Layers without weights that both frameworks write as one
STEPS = POOLS | {"Activation", "Flatten"}
Class = tuple[str, bool, str]


def is_listed_alike(context: Context) -> bool:
    """Whether both are Keras's and list the same layers, class by class: then both have the order of
    `model.layers`.
    """
    sides = context.source, context.target
    if not all(side.graph.is_from_keras and _is_list(side.graph) for side in sides):
        return False
    source, target = _by_class(context)
    return {c: list(map(_shapes, units)) for c, units in source.items()} == {
        c: list(map(_shapes, units)) for c, units in target.items()
    }


def listed(context: Context) -> list[tuple[Unit, Unit]]:
    """The units of two models that list the same layers, side by side."""
    source, target = _by_class(context)
    return [pair for c, units in target.items() for pair in zip(source[c], units, strict=True)]


def _by_class(context: Context) -> tuple[Mapping[Class, list[Unit]], Mapping[Class, list[Unit]]]:
    sides = context.source.weighted, context.target.weighted
    common = _parts(sides[0]) & _parts(sides[1])
    found: tuple[dict[Class, list[Unit]], dict[Class, list[Unit]]] = {}, {}
    for side, units in zip(found, sides, strict=True):
        for unit in units:
            side.setdefault(_class(unit, common), []).append(unit)
    return found


def _class(unit: Unit, parts: frozenset[str]) -> Class:
    """Whose order a file keeps: the operation, both directions of recurrent layers apart, and parts that both
    sides call the same.

    What a single vector does (a scale, a norm without bias) the weights alone do not tell.
    """
    kind = "vector" if _is_vector(unit) else unit.layer.op
    return (
        kind,
        unit.family in RECURRENT and is_backward(unit.name, unit.layer),
        _part(unit) if _part(unit) in parts else "",
    )


def _parts(units: Sequence[Unit]) -> frozenset[str]:
    return frozenset(_part(u) for u in units) - {""}


def _part(unit: Unit) -> str:
    """What a unit is called inside its layer, "" where it is in none: what a framework counts through is no
    name.
    """
    _, is_below, last = unit.layer.name.rpartition("/")
    return last if is_below and not is_automatic(last) else ""


def _shapes(unit: Unit) -> list[tuple[str, tuple[int, ...]]]:
    return sorted(("" if _is_vector(unit) else role, tensor.shape) for role, tensor in unit.tensors)


def _is_vector(unit: Unit) -> bool:
    return len(unit.tensors) == 1 and len(unit.tensors[0][1].shape) == 1


def _is_list(graph: LayerGraph) -> bool:
    """Attributes of a model in code, which has no inputs of its own, are in an order of their own."""
    return graph.format != "keras-weights-h5" or any(layer.op == "Input" for layer in graph.layers)


def in_keras_order(reduced: Reduced) -> tuple[Unit, ...]:
    """The units of a graph with data flow as Keras would list them."""
    graph = reduced.graph
    depth, met = _depths(graph, reduced), _met(graph)
    return tuple(
        sorted(
            reduced.units, key=lambda u: (-depth[u.layer.name], met[u.layer.name], reduced.position[u.name])
        )
    )


def _depths(graph: LayerGraph, reduced: Reduced) -> dict[str, int]:
    """The longest way to an output. A convolution whose norm is folded into it counts for both."""
    merges = {u.layer.name for u in reduced.units if not u.has_weights}
    found: dict[str, int] = {}
    for layer in reversed(graph.layers):
        reading = graph.children[layer.name]
        length = int(bool(layer.tensors) or layer.name in merges or layer.op in STEPS)
        has_norm = any(graph.by_name[name].op in CHANNEL_AFFINE for name in reading)
        length += layer.op in SINGLE_KERNEL_CONVOLUTIONS and not has_norm
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
