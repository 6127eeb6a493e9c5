"""Whether what a layer is fed is never below zero, so that zeros around it change no maximum."""

from weightbridge.model.activations import name_and_parameters
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import PASSING, VIEWS

POSITIVE = frozenset({"relu", "relu6", "sigmoid", "softmax", "exponential", "softplus", "hard_sigmoid"})
KEEPING = PASSING | VIEWS | {"Pool", "GlobalPool", "Add", "Multiply", "Maximum", "Concat", "Resize"}
FARTHEST = 40  # layers that are looked at


def never_negative(graph: LayerGraph, name: str) -> bool:
    """Whether all that reaches the layer comes from activations without negative values."""
    waiting, seen = list(graph.parents[name]), set[str]()
    while waiting and len(seen) < FARTHEST:
        layer = graph.by_name[waiting.pop()]
        if layer.name in seen or _is_positive(layer.attributes.get("activation")):
            continue
        seen.add(layer.name)
        if not _keeps_signs(layer):
            return False
        waiting += graph.parents[layer.name]
    return not waiting


def _keeps_signs(layer: Layer) -> bool:
    if layer.op not in KEEPING or layer.settings.get("arguments"):
        return False
    return layer.attributes.get("interpolation") != "bicubic"


def _is_positive(activation: object) -> bool:
    if not isinstance(activation, str | tuple):
        return False
    name, parameters = name_and_parameters(activation)
    return name in POSITIVE and not (name == "relu" and parameters.get("slope"))
