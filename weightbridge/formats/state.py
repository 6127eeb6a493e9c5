"""State of wrappers that is no weight: masks of pruning, ranges of quantisation, singular vectors."""

import re
from collections.abc import Iterator
from dataclasses import replace

from weightbridge.model.graph import Excluded, Layer, LayerGraph
from weightbridge.model.tensors import Tensor

SINGULAR_VECTORS = frozenset({"vector_u", "sn_u"})  # of spectral normalisation, found again at every step
PRUNING = frozenset({"mask", "threshold"})  # tfmot's PruneLowMagnitude, together
RANGE = re.compile(r"(.*)_(min|max)$")  # tfmot's QuantizeWrapper and Keras's FakeQuant, in pairs


def without_state(graph: LayerGraph) -> LayerGraph:
    """The graph with its state among what is excluded, with the reason `state`.

    A target keeps its own values of these; a source's are not looked for.
    """
    state = {layer.name: tuple(_state_of(layer)) for layer in graph.layers if layer.tensors}
    excluded = [tensor for tensors in state.values() for tensor in tensors]
    if not excluded:
        return graph
    names = {tensor.name for tensor in excluded}
    layers = tuple(_without(layer, names) if state.get(layer.name) else layer for layer in graph.layers)
    return replace(
        graph,
        layers=layers,
        excluded=(*graph.excluded, *(Excluded(t.name, "state", t.size) for t in excluded)),
        stored_order=tuple(name for name in graph.stored_order if name not in names),
    )


def _without(layer: Layer, names: set[str]) -> Layer:
    return replace(layer, tensors=tuple(t for t in layer.tensors if t.name not in names))


def _state_of(layer: Layer) -> Iterator[Tensor]:
    roles = {tensor.role for tensor in layer.tensors}
    is_pruned = roles >= PRUNING
    for tensor in layer.tensors:
        is_known = tensor.role in SINGULAR_VECTORS or (is_pruned and tensor.role in PRUNING)
        if is_known or _is_range(tensor.role, roles):
            yield tensor


def _is_range(role: str, roles: set[str]) -> bool:
    """Whether a minimum has its maximum beside it."""
    match = RANGE.match(role)
    return match is not None and {f"{match[1]}_min", f"{match[1]}_max"} <= roles
