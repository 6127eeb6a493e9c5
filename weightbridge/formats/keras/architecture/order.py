"""The order in which Keras 3 lists the layers of a functional model, and stores their weights.

It is computed anew from the graph when a file is loaded (keras/src/ops/function.py, map_graph): the longest
way to an output first, then the first visit from the outputs.
"""

from collections.abc import Mapping, Sequence

from weightbridge.formats.keras.architecture.arguments import Call, Reference
from weightbridge.formats.keras.architecture.calls import Calls, calls_of
from weightbridge.formats.keras.architecture.config import ConfigLayer

Node = tuple[str, int]  # a layer's name and the number of its call
Parents = Mapping[Node, Sequence[Node]]


def keras_order(model: ConfigLayer) -> tuple[ConfigLayer, ...]:
    """The layers of a functional model as Keras lists them; those that feed no output are not among them."""
    calls = calls_of(model)
    parents = _parents(model, calls)
    ends = [(r.layer, calls.number(r, output=True)) for r in _flattened(model)]
    visited, finished = _walked(parents, ends)
    depths = _depths(parents, finished)
    for reference in model.inputs:
        if reference.layer not in depths:
            depths[reference.layer], visited[reference.layer] = 0, -1
    by_name = {layer.name: layer for layer in model.layers}
    names = sorted(depths, key=lambda name: (-depths[name], visited[name]))
    return tuple(by_name[name] for name in names)


def _flattened(model: ConfigLayer) -> tuple[Reference, ...]:
    """The outputs in the order in which Keras flattens them: named ones by their names."""
    told = model.config.get("output_layers")
    if not isinstance(told, dict) or len(told) != len(model.outputs):
        return model.outputs
    named = dict(zip(told, model.outputs, strict=True))
    return tuple(named[name] for name in sorted(named))


def as_called(call: Call) -> tuple[Reference, ...]:
    """What a call is fed, in Keras's order: what stands first, then by the names of arguments."""
    first = [reference for reference in call.inputs if not reference.keyword]
    named = [reference for reference in call.inputs if reference.keyword]
    return (*first, *sorted(named, key=lambda reference: reference.keyword.partition(".")[0]))


def _parents(model: ConfigLayer, calls: Calls) -> dict[Node, list[Node]]:
    found: dict[Node, list[Node]] = {}
    for layer in model.layers:
        for number, call in enumerate(layer.calls or (Call(()),)):
            found[layer.name, number] = [(r.layer, calls.number(r)) for r in as_called(call)]
    return found


def _walked(parents: Parents, ends: Sequence[Node]) -> tuple[dict[str, int], list[Node]]:
    """When each layer is first visited, and the nodes as they are finished, going back from the outputs."""
    visited: dict[str, int] = {}
    finished: dict[Node, None] = {}
    for end in ends:
        stack: list[tuple[Node, int]] = [(end, 0)]
        while stack:
            node, place = stack.pop()
            if node in finished:
                continue
            visited.setdefault(node[0], len(visited))
            if place < len(parents[node]):
                stack += [(node, place + 1), (parents[node][place], 0)]
            else:
                finished[node] = None
    return visited, list(finished)


def _depths(parents: Parents, finished: Sequence[Node]) -> dict[str, int]:
    """The longest way from each layer to an output."""
    of_nodes: dict[Node, int] = {}
    of_layers: dict[str, int] = {}
    for node in reversed(finished):
        depth = max(of_nodes.get(node, 0), of_layers.get(node[0], 0))
        of_layers[node[0]] = of_nodes[node] = depth
        for parent in parents[node]:
            of_nodes[parent] = max(depth + 1, of_nodes.get(parent, 0))
    return of_layers
