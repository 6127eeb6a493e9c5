"""Several layers of a graph that are one layer of Keras's: the graph with that layer in their place."""

from collections.abc import Callable

from weightbridge.model.graph import LayerGraph

Recogniser = Callable[[LayerGraph], LayerGraph]
RECOGNISERS: tuple[Recogniser, ...] = ()


def recognised(graph: LayerGraph) -> LayerGraph:
    """Each recogniser gets what those before it made."""
    for recogniser in RECOGNISERS:
        graph = recogniser(graph)
    return graph
