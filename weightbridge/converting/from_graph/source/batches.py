"""Which axis of each input is the batch, where it need not be the first one.

Sequences of torch have (steps, batch, features), states of recurrent layers (layers, batch, units). Keras's
inputs have the batch first.
"""

from collections.abc import Iterator, Mapping

from weightbridge.converting.from_graph.layout import Length
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import RECURRENT

SEQUENCE = 3  # axes
Places = Mapping[str, int]


def batch_places(graph: LayerGraph) -> Iterator[Places]:
    """The first axis of all; else that of each whose length all have; else the second where it can be."""
    dims = {name: _dims(graph, name) for name in graph.inputs}
    is_recurrent = any(layer.op in RECURRENT for layer in graph.layers)
    seconds = {name: int(_may_be_second(one, is_recurrent)) for name, one in dims.items()}
    first: Places = dict.fromkeys(dims, 0)
    yield first
    seen = [first]
    for places in (*_of_one_length(dims), seconds):
        if places not in seen and all(place <= seconds[name] for name, place in places.items()):
            seen.append(places)
            yield places


def _dims(graph: LayerGraph, name: str) -> tuple[Length, ...]:
    settings = graph.by_name[name].settings
    return (settings.get("batch"), *(settings.get("shape") or ()))


def _may_be_second(dims: tuple[Length, ...], is_recurrent: bool) -> bool:
    """A first axis of a fixed length before one of any; sequences and states also where both say the same."""
    if len(dims) < 2:
        return False
    is_told = dims[0] is not None and dims[1] is None
    is_open = (dims[0] is None) == (dims[1] is None)
    return is_told or (is_recurrent and is_open and len(dims) <= SEQUENCE)


def _of_one_length(dims: Mapping[str, tuple[Length, ...]]) -> Iterator[Places]:
    lengths = dict.fromkeys(length for one in dims.values() for length in one[:2])
    for length in sorted(lengths, key=lambda one: one is not None):  # what may have any length goes first
        if all(length in one[:2] for one in dims.values()):
            yield {name: one.index(length) for name, one in dims.items()}
