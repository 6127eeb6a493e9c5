"""The same layers on each step of a sequence, one after the other: once, on the whole of it.

TimeDistributed is written so. Only layers count that work on the last axis, which take any axes before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import Edge, Layer, LayerGraph

ON_LAST_AXIS = frozenset({"Dense", "Activation", "Dropout", "LayerNorm"})
IDLE = frozenset({"tied", "shared_with", "starts", "ends", "indices"})
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one step: cut out of `source`, its axis away, the layers, its axis back."""

    source: Edge
    cut: Layer
    layers: tuple[Layer, ...]
    ends: tuple[Layer, ...]  # the other layers that only cut and join

    @property
    def names(self) -> set[str]:
        return {layer.name for layer in (self.cut, *self.layers, *self.ends)}


def rolled(graph: LayerGraph) -> LayerGraph:
    """The graph with each such run of steps as one."""
    for layer in graph.layers:
        if layer.op == "Concat" and len(graph.parents[layer.name]) > 1:
            steps = _steps(graph, layer)
            if steps and _are_the_same(graph, layer, steps):
                return rolled(_with_one(graph, layer, steps))
    return graph


def _steps(graph: LayerGraph, joined: Layer) -> list[Step]:
    """Those that are joined, in order; [] where one of them is none."""
    found = [_step(graph, name) for name in graph.parents[joined.name]]
    steps = [step for step in found if step is not None]
    return steps if len(steps) == len(found) else []


def _step(graph: LayerGraph, name: str) -> Step | None:
    """From where its axis is put back, up to where it is cut out."""
    chain = list(_upwards(graph, name))
    if len(chain) < 4 or chain[-1].op != "Slice":
        return None
    last, *layers, first, cut = chain
    is_cut = last.class_name == "Unsqueeze" and first.class_name == "Squeeze"
    if not is_cut or any(layer.op not in ON_LAST_AXIS for layer in layers):
        return None
    return Step(graph.edges_into[cut.name][0], cut, tuple(reversed(layers)), (first, last))


def _upwards(graph: LayerGraph, name: str) -> Iterator[Layer]:
    """Layers that each read one value, and that one reader has, up to a Slice."""
    for _ in range(DEEPEST):
        layer = graph.by_name[name]
        if len(graph.children[name]) != 1 or len(graph.parents[name]) != 1:
            return
        yield layer
        if layer.op == "Slice":
            return
        (name,) = graph.parents[name]


def _are_the_same(graph: LayerGraph, joined: Layer, steps: Sequence[Step]) -> bool:
    """Whether each step of one sequence is taken once, in order, and all go the same way."""
    first, axis = steps[0], joined.settings.get("axis")
    told = [(step.cut.settings.get("starts"), step.cut.settings.get("ends")) for step in steps]
    are_in_order = told == [((n,), (n + 1,)) for n in range(len(steps))]
    axes = {layer.settings.get("axes") for step in steps for layer in (step.cut, *step.ends)}
    shape = graph.by_name[first.source.source].output_shape
    sizes = {step.cut.settings.get("steps") for step in steps}
    is_one_source = len({(s.source.source, s.source.port) for s in steps}) == 1
    are_alike = all(_kind(graph, step) == _kind(graph, first) for step in steps)
    is_whole = axis in (0, 1) and _is_so_long(graph, shape, axis, len(steps))
    fits = is_whole and axes == {(axis,)} and sizes <= {None, (1,)}
    return bool(are_in_order and is_one_source and are_alike and fits)


def _is_so_long(graph: LayerGraph, shape: Sequence[int | None] | None, axis: int, count: int) -> bool:
    """Whether an axis has so many steps. A first one stands in no shape: an input has to have as many."""
    if shape is None or len(shape) < 2:
        return False
    inputs = [graph.by_name[name].output_shape or () for name in graph.inputs]
    return shape[0] == count if axis == 1 else any(count in given for given in inputs)


def _kind(graph: LayerGraph, step: Step) -> list[Any]:
    """What each layer computes: its op, its settings, its tensors."""
    return [(layer.op, _settings(layer), _tensors(layer)) for layer in step.layers]


def _settings(layer: Layer) -> dict[str, Any]:
    return {key: value for key, value in layer.settings.items() if key not in IDLE}


def _tensors(layer: Layer) -> dict[str, str]:
    """Their names by role, those of an earlier layer too."""
    return {**{tensor.role: tensor.name for tensor in layer.tensors}, **(layer.attributes.get("tied") or {})}


def _with_one(graph: LayerGraph, joined: Layer, steps: Sequence[Step]) -> LayerGraph:
    """Source, the layers of the step that has the tensors itself, and what reads the sequence."""
    kept = max(steps, key=lambda step: sum(len(layer.tensors) for layer in step.layers))
    last, inside = kept.layers[-1].name, {layer.name for layer in kept.layers}
    gone = {joined.name}.union(*(step.names for step in steps)) - inside
    edges = [edge for edge in graph.edges if not {edge.source, edge.target} & gone]
    edges.append(replace(kept.source, target=kept.layers[0].name))
    edges += [replace(edge, source=last) for edge in graph.edges if edge.source == joined.name]
    ports = (replace(port, layer=last) if port.layer == joined.name else port for port in graph.output_ports)
    return replace(
        graph,
        layers=tuple(_moved(graph.layers, kept, gone, joined)),
        edges=tuple(edges),
        output_ports=tuple(ports),
    )


def _moved(layers: Sequence[Layer], kept: Step, gone: set[str], joined: Layer) -> Iterator[Layer]:
    """The layers in order, those of the step where the steps were joined."""
    inside = {layer.name for layer in kept.layers}
    for layer in layers:
        if layer.name == joined.name:
            yield from (_whole(one, joined) for one in kept.layers)
        if layer.name not in inside | gone:
            yield layer


def _whole(layer: Layer, joined: Layer) -> Layer:
    """The layer with axes before its last one that it did not have; its last axis stays that."""
    told = {"axis": -1} if "axis" in layer.attributes else {}
    details = {**layer.details, **({"axis": -1} if "axis" in layer.details else {})}
    own, whole = layer.output_shape, joined.output_shape
    shape = (*whole[:-1], own[-1]) if own and whole else None
    return replace(layer, output_shape=shape, attributes={**layer.attributes, **told}, details=details)
