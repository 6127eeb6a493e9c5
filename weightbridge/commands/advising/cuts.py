"""Where a model can be cut: layers through which everything passes that comes from the inputs."""

from itertools import pairwise

from weightbridge.errors import Unsupported
from weightbridge.model.flow import ancestors
from weightbridge.model.graph import LayerGraph
from weightbridge.model.vocabulary import NORMS

MOST = 24


def cut_points(graph: LayerGraph) -> tuple[str, ...]:
    """One before each layer with weights that follows, in order; the last is what the head reads.

    Evenly thinned to 24. Raises Unsupported for a model without data flow, or without a single path.
    """
    if not graph.dag.number_of_edges() or not graph.outputs:
        raise Unsupported(
            "the model tells no data flow, so that it cannot be cut",
            where=graph.path,
            fix="Build it with the functional API",
        )
    passed = _passed(graph)
    kept = [name for name, after in pairwise(passed) if _has_weights(graph, name, after)]
    given = dict.fromkeys(_computed(graph, name) for name in kept)
    kept = [name for name in given if graph.by_name[name].op != "Input"]
    if not kept:
        raise Unsupported(
            "no layer is on every way from the inputs to the output before the head",
            where=graph.path,
            fix="Advise on the part of the model that has one",
        )
    thinned = kept[:: -(-len(kept) // MOST)]
    return tuple(thinned) if thinned[-1] == kept[-1] else (*thinned, kept[-1])


def _computed(graph: LayerGraph, name: str) -> str:
    """The layer whose values these are: the input of a nested model computes none."""
    while graph.by_name[name].op == "Identity" and len(graph.parents[name]) == 1:
        name = graph.parents[name][0]
    return name


def _passed(graph: LayerGraph) -> list[str]:
    """Layers that alone reach what comes behind them: no edge goes around them.

    Layers stand in an order of the data flow, so an edge goes around a layer where it begins before and ends
    behind it; and every input must stand before it.
    """
    order = _ordered(graph)
    place = {name: n for n, name in enumerate(order)}
    last_input = max(place[name] for name in order if not graph.parents[name])
    first_output = min(place[name] for name in graph.outputs)
    alone = _alone(graph, order, place)
    return [name for name in alone if last_input <= place[name] <= first_output]


def _alone(graph: LayerGraph, order: list[str], place: dict[str, int]) -> list[str]:
    furthest, found = -1, []
    for n, name in enumerate(order):
        if furthest <= n:
            found.append(name)
        furthest = max([furthest, *(place.get(child, -1) for child in graph.children[name])])
    return found


def _ordered(graph: LayerGraph) -> list[str]:
    """Layers that reach an output, each after those it reads."""
    wanted = set(graph.outputs).union(*(ancestors(graph.dag, name) for name in graph.outputs))
    order, todo = dict[str, None](), [layer.name for layer in graph.layers if layer.name in wanted]
    while todo:
        ready = next((name for name in todo if order.keys() >= set(graph.parents[name]) & wanted), None)
        if ready is None:  # a loop
            break
        order[ready] = None
        todo.remove(ready)
    return list(order)


def _has_weights(graph: LayerGraph, name: str, after: str) -> bool:
    """Whether a layer with weights, and more than a norm, stands behind `name`, up to and with `after`."""
    left, seen = [after], set[str]()
    while left:
        one = left.pop()
        if one == name or one in seen:
            continue
        seen.add(one)
        left += graph.parents[one]
    return any(graph.by_name[one].tensors and graph.by_name[one].op not in NORMS for one in seen)
