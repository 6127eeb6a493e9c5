"""Masking where all that Keras hands its mask on to has it in the source too; else a product."""

from collections.abc import Iterator

from weightbridge.converting.from_graph.recognise.logic import any_or_all
from weightbridge.converting.from_graph.recognise.masking import masked_mean, masked_steps, masking
from weightbridge.model.activations import name_and_parameters
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.vocabulary import RECURRENT, VIEWS

PASSING = VIEWS | {"Dense"}  # they hand a mask on, and compute the same with it
BY_MASK = frozenset({"softmax", "log_softmax"})


def masked(graph: LayerGraph) -> LayerGraph:
    """A Masking is not made where a layer behind it would be masked that the source does not mask."""
    made = _with_masks(graph, frozenset())
    spreading = frozenset(layer.name for layer in made.layers if _spreads(made, layer))
    return _with_masks(graph, spreading) if spreading else made


def _with_masks(graph: LayerGraph, plain: frozenset[str]) -> LayerGraph:
    return masked_steps(masked_mean(any_or_all(masking(graph, plain))))


def _spreads(graph: LayerGraph, layer: Layer) -> bool:
    return layer.class_name == "Masking" and not all(_fits(one) for one in _handed(graph, layer))


def _handed(graph: LayerGraph, layer: Layer) -> Iterator[Layer]:
    """The layers that the mask reaches."""
    waiting, seen = [layer.name], {layer.name}
    while waiting:
        children = [name for name in graph.children[waiting.pop()] if name not in seen]
        seen |= {*children}
        yield from (graph.by_name[name] for name in children)
        waiting += [name for name in children if graph.by_name[name].class_name != "MaskedMean"]


def _fits(layer: Layer) -> bool:
    if layer.op in RECURRENT:
        return bool(layer.settings.get("handed_mask"))
    if layer.op == "Activation":
        return name_and_parameters(layer.settings["activation"])[0] not in BY_MASK
    return layer.op in PASSING or layer.class_name == "MaskedMean"
