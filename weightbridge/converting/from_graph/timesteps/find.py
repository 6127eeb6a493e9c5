"""What a graph does for each step alone: batch and steps as one axis, layers, and both axes again.

Keras says it by TimeDistributed around a layer, or around a model of several.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.layout import Group, Groups, Layout, Length, split
from weightbridge.converting.from_graph.source.own import made_here
from weightbridge.converting.from_graph.values import Value
from weightbridge.model.graph import Edge, Layer, LayerGraph, Port
from weightbridge.model.vocabulary import CONVOLUTIONS, POOLS, RECURRENT, SPATIAL

# what needs the batch as an axis by itself; all else works on the last axes, whatever stands before them
NEEDS_BATCH = CONVOLUTIONS | POOLS | RECURRENT | SPATIAL | {"BatchNorm", "GroupNorm"}


@dataclass(frozen=True, slots=True)
class Region:
    """first: what joins the axes. layers: all behind it, up to `last`, which what parts the axes reads."""

    first: Layer
    layers: tuple[Layer, ...]
    last: Edge

    @property
    def names(self) -> Set[str]:
        return {layer.name for layer in self.layers}


def joins_batch(layout: Layout) -> bool:
    """Whether the source's first axis is the batch and the steps behind it."""
    first = layout.source[0] if layout.source else ()
    return len(first) > 1 and first[0] == layout.batch


def steps_of(layout: Layout) -> Length:
    return layout.length(layout.source[0][1:])


def region_of(graph: LayerGraph, first: Layer, layout: Layout) -> Region | None:
    """What is done behind a layer that joins batch and steps; None where Keras needs no wrapper for it.

    None too where what is joined is given on in several ways, is an output, or meets other values.
    """
    if not joins_batch(layout):
        return None
    names, ends = _behind(graph, first, steps_of(layout))
    if len({(edge.source, edge.port) for edge in ends}) != 1 or not _is_closed(graph, names):
        return None
    inside = set(names[1:])
    region = Region(first, tuple(layer for layer in graph.layers if layer.name in inside), ends[0])
    return region if inside and _is_for_each_step(graph, region) else None


def _behind(graph: LayerGraph, first: Layer, steps: Length) -> tuple[list[str], list[Edge]]:
    """All layers up to those that part the axes, and the edges into these."""
    names, seen, ends = [first.name], {first.name}, list[Edge]()
    for name in names:
        for edge in _edges_from(graph, name):
            if _parts(graph, edge, steps):
                ends.append(edge)
            elif edge.target not in seen:
                seen.add(edge.target)
                names.append(edge.target)
    return names, ends


def _is_closed(graph: LayerGraph, names: Sequence[str]) -> bool:
    """Whether they read each other alone, and none of them is an output of the model."""
    inside = set(names)
    is_output = any(port.layer in inside for port in graph.output_ports)
    return not is_output and all(
        edge.source in inside for name in names[1:] for edge in graph.edges_into[name]
    )


def _edges_from(graph: LayerGraph, name: str) -> list[Edge]:
    readers = dict.fromkeys(graph.children[name])
    return [edge for reader in readers for edge in graph.edges_into[reader] if edge.source == name]


def _parts(graph: LayerGraph, edge: Edge, steps: Length) -> bool:
    """Whether a layer gives the steps an axis of their own again, behind that of the batch."""
    layer = graph.by_name[edge.target]
    target = layer.settings.get("target")
    if layer.op != "Reshape" or not isinstance(target, tuple) or len(target) < 2:
        return False
    told: tuple[Length, ...] = tuple(None if size == -1 else size for size in target[1:])
    return told[0] == steps and _is_so_long(told, graph.by_name[edge.source].output_shape, steps)


def _is_so_long(told: Sequence[Length], each: Sequence[Length] | None, steps: Length) -> bool:
    """Whether a shape holds as many numbers as the steps do together, as far as that is known."""
    if steps is None or each is None or None in (*each, *told):
        return len(told) > 1
    made, fed = (prod(n for n in sizes if n is not None) for sizes in (told, each))
    return made == steps * fed


def _is_for_each_step(graph: LayerGraph, region: Region) -> bool:
    """Whether a person would have written TimeDistributed: Dense and its like take steps by themselves."""
    needs_batch = any(layer.op in NEEDS_BATCH for layer in region.layers)
    return needs_batch or made_here(graph)  # the own writer joins them for TimeDistributed alone


def inner_graph(graph: LayerGraph, region: Region, value: Value) -> LayerGraph:
    """What is done for one step, as a graph of its own. value: what `first` gives."""
    shape = value.layout.source_shape[1:]
    told = {"shape": shape, "batch": None, "dtype": value.dtype}
    entry = Layer(region.first.name, "Input", "Input", told, output_shape=shape)
    inside = {*region.names, entry.name}
    edges = [edge for edge in graph.edges if edge.source in inside and edge.target in region.names]
    return replace(
        graph,
        layers=(entry, *region.layers),
        edges=tuple(edges),
        inputs=(entry.name,),
        outputs=(region.last.source,),
        output_ports=(Port(region.last.source, region.last.port),),
        fixed_outputs=(),
    )


def unfolded(layout: Layout, steps: Length) -> Layout:
    """What is given for one step, for all of them: the source has both axes as one, and Keras two."""
    batch = layout.batch
    cut = split(layout, batch, 1)
    lengths = (*cut.lengths[:batch], None, steps, *cut.lengths[batch + 2 :])
    keras = tuple(part for group in cut.keras for part in _apart(group, batch))
    return Layout(lengths, cut.source, keras)


def _apart(group: Group, batch: int) -> Groups:
    return ((batch,), (batch + 1,)) if group == (batch, batch + 1) else (group,)
