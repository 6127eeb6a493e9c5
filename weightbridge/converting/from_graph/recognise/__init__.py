"""Several layers of a graph that are one layer of Keras's: the graph with that layer in their place."""

from collections.abc import Callable

from weightbridge.converting.from_graph.recognise.attended import attended
from weightbridge.converting.from_graph.recognise.both_ways import merged, turned
from weightbridge.converting.from_graph.recognise.functions import functions
from weightbridge.converting.from_graph.recognise.logic import any_or_all, not_equal
from weightbridge.converting.from_graph.recognise.masking import masked_mean, masked_steps, masking
from weightbridge.converting.from_graph.recognise.normalized import normalized
from weightbridge.converting.from_graph.recognise.rolled import rolled
from weightbridge.converting.from_graph.recognise.scales import rescaled
from weightbridge.converting.from_graph.recognise.separable import separable
from weightbridge.converting.from_graph.recognise.side_by_side import side_by_side
from weightbridge.converting.from_graph.recognise.two_directions import two_directions
from weightbridge.converting.from_graph.recognise.units import unit
from weightbridge.model.graph import LayerGraph

Recogniser = Callable[[LayerGraph], LayerGraph]
RECOGNISERS: tuple[Recogniser, ...] = (
    rolled,
    side_by_side,
    not_equal,
    masking,  # where Keras hands a mask on to what the source does not mask, `ended_masks` ends it
    any_or_all,
    masked_mean,
    masked_steps,
    merged,
    turned,
    two_directions,
    separable,
    unit,
    functions,
    normalized,
    rescaled,
    attended,
)


def recognised(graph: LayerGraph) -> LayerGraph:
    """Each recogniser gets what those before it made."""
    for recogniser in RECOGNISERS:
        graph = recogniser(graph)
    return graph
