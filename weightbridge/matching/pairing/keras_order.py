"""The order in which Keras lists the layers of a model, that of `model.layers`.

It goes by their distance from the outputs, equals as a search from the outputs meets them. Files of Keras
weights alone keep it; other formats list layers in an order of their own.
"""

from collections.abc import Mapping, Sequence

from weightbridge.matching.context import Context
from weightbridge.matching.pairing.names import is_automatic
from weightbridge.matching.units.directions import is_backward
from weightbridge.matching.units.units import Reduced, Unit
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import CHANNEL_AFFINE, POOLS, RECURRENT, SINGLE_KERNEL_CONVOLUTIONS

# Layers without weights that both frameworks write as one
COUNTED = POOLS | {"Activation", "Flatten"}
# Whose order a file keeps: operation, whether it runs backward, and its name inside its layer
Class = tuple[str, bool, str]
Classes = Mapping[Class, list[Unit]]


def is_listed_alike(source: Reduced, target: Reduced) -> bool:
    """Whether both are Keras's without data flow and list the same layers, class by class."""
    if source.graph.has_flow and target.graph.has_flow:
        return False
    if not all(side.graph.is_from_keras and _is_list(side.graph) for side in (source, target)):
        return False
    source_classes, target_classes = _classes(source, target)
    return _shapes_by_class(source_classes) == _shapes_by_class(target_classes)


def _is_list(graph: LayerGraph) -> bool:
    """Attributes of a model in code, which has no inputs of its own, are in an order of their own."""
    return graph.order != "class" or any(layer.op == "Input" for layer in graph.layers)


def _shapes_by_class(classes: Classes) -> dict[Class, list[list[tuple[str, tuple[int, ...]]]]]:
    return {name: [_shapes(unit) for unit in units] for name, units in classes.items()}


def _shapes(unit: Unit) -> list[tuple[str, tuple[int, ...]]]:
    is_vector = _is_vector(unit)
    return sorted(("" if is_vector else role, tensor.shape) for role, tensor in unit.tensors)


def _is_vector(unit: Unit) -> bool:
    return len(unit.tensors) == 1 and len(unit.tensors[0][1].shape) == 1


def listed(context: Context) -> list[tuple[Unit, Unit]]:
    """The units of two models that list the same layers, side by side."""
    source, target = _classes(context.source, context.target)
    return [pair for name, units in target.items() for pair in zip(source[name], units, strict=True)]


def _classes(source: Reduced, target: Reduced) -> tuple[Classes, Classes]:
    common_names = _inner_names(source.weighted) & _inner_names(target.weighted)
    return _by_class(source.weighted, common_names), _by_class(target.weighted, common_names)


def _inner_names(units: Sequence[Unit]) -> frozenset[str]:
    return frozenset(_inner_name(unit) for unit in units) - {""}


def _inner_name(unit: Unit) -> str:
    """What a unit is called inside its layer, "" where it is in none or a framework counts through."""
    _, is_below, last = unit.layer.name.rpartition("/")
    return last if is_below and not is_automatic(last) else ""


def _by_class(units: Sequence[Unit], common_names: frozenset[str]) -> Classes:
    classes: dict[Class, list[Unit]] = {}
    for unit in units:
        classes.setdefault(_class(unit, common_names), []).append(unit)
    return classes


def _class(unit: Unit, common_names: frozenset[str]) -> Class:
    """Its class. Weights alone do not tell what a single vector does (a scale, a norm without bias)."""
    kind = "vector" if _is_vector(unit) else unit.layer.op
    runs_backward = unit.family in RECURRENT and is_backward(unit.name, unit.layer)
    name = _inner_name(unit)
    return kind, runs_backward, name if name in common_names else ""


def sorted_as_keras(reduced: Reduced) -> tuple[Unit, ...]:
    """The units of a graph with data flow as Keras would list them."""
    depths, places = _depths(reduced), _places_met(reduced.graph)

    def place(unit: Unit) -> tuple[int, int, int]:
        return -depths[unit.layer.name], places[unit.layer.name], reduced.position[unit.name]

    return tuple(sorted(reduced.units, key=place))


def _depths(reduced: Reduced) -> dict[str, int]:
    """The longest way to an output. A convolution whose norm is folded into it counts for both."""
    graph = reduced.graph
    merges = {unit.layer.name for unit in reduced.units if not unit.has_weights}
    depths: dict[str, int] = {}
    for layer in reversed(graph.layers):
        reading = graph.children[layer.name]
        has_norm = any(graph.by_name[name].op in CHANNEL_AFFINE for name in reading)
        is_counted = bool(layer.tensors) or layer.name in merges or layer.op in COUNTED
        holds_norm = layer.op in SINGLE_KERNEL_CONVOLUTIONS and not has_norm
        below = max((depths.get(name, 0) for name in reading), default=0)
        depths[layer.name] = below + is_counted + holds_norm
    return depths


def _places_met(graph: LayerGraph) -> dict[str, int]:
    """The order in which a search from the outputs up through all inputs first meets each layer."""
    places: dict[str, int] = {}
    ends = [layer.name for layer in graph.layers if not graph.children[layer.name]]
    waiting = list(reversed(ends))
    while waiting:
        name = waiting.pop()
        if name not in places:
            places[name] = len(places)
            waiting += reversed(graph.parents[name])
    return places
