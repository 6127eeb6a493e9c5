"""An ONNX graph folded into canonical layers.

Drafts from nodes, then names, tensors, shapes and edges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.branches import Opened, decided, opened
from weightbridge.formats.onnx.builders import drafts_of, input_drafts
from weightbridge.formats.onnx.drafts import Draft, Site, constants_read
from weightbridge.formats.onnx.groups.fused_outputs import Run, divisions
from weightbridge.formats.onnx.groups.groupnorm import is_neutral
from weightbridge.formats.onnx.layer_tensors import LayerTensors, Loader, own_value
from weightbridge.formats.onnx.names import layer_names
from weightbridge.formats.onnx.per_item import with_items
from weightbridge.formats.onnx.proto import Graph, TensorHeader
from weightbridge.formats.onnx.quantised.lower import is_added, lowered
from weightbridge.formats.onnx.shapes.infer import shapes_of
from weightbridge.formats.onnx.uses import Use, uses_of
from weightbridge.formats.onnx.values.net import Constant, Read, net_of
from weightbridge.formats.onnx.wellformed import with_marks
from weightbridge.model.graph import Edge, Layer, LayerGraph, Port
from weightbridge.model.layouts import with_axes
from weightbridge.model.vocabulary import RECURRENT, RESHAPES

# Layers whose output has no channel axis at a known place
WITHOUT_LAYOUT = RECURRENT | RESHAPES | {"Dense", "MatMul", "Opaque"}


@dataclass(frozen=True, slots=True)
class Folded:
    """Layers and edges, the tensors' headers by tensor name, and the value that shows each layer's output.

    fixed_outputs: outputs of the model that no layer gives.
    read: the constants that may be weights among all that nodes read, whether or not a layer took them.
    uses: by layer and role, where the file reads a tensor.
    """

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]
    inputs: tuple[str, ...]
    output_ports: tuple[Port, ...]
    headers: Mapping[str, TensorHeader]
    shown: Mapping[str, str]
    fixed_outputs: tuple[str, ...] = ()
    read: tuple[Constant, ...] = ()
    uses: Mapping[tuple[str, str], Use] = field(default_factory=dict)


def fold(graph: Graph, opset: int, read: Read, loader: Loader) -> Folded:
    """The layers of a graph. read: the values of a small constant; loader: what will read a weight."""
    whole = decided(with_marks(graph), lambda one: _conditions(one, read))
    opening = replace(opened(whole.graph), inner=whole.inner)
    opening = replace(opening, graph=with_items(lowered(opening.graph)))
    shapes, net = shapes_of(opening.graph, net_of(opening.graph, read), read)
    site = Site(net, shapes, opset, read)
    drafts = [*input_drafts(opening.graph, net), *drafts_of(site)]
    names = layer_names(drafts, net.nodes)
    maker = _makers(drafts, names)
    named = list(zip(drafts, names, strict=True))
    tensors = LayerTensors(loader)
    shown = {name: draft.shown for draft, name in named if draft.shown}
    return Folded(
        layers=_layers(site, named, tensors, _added(site, opening, named, maker)),
        edges=tuple(edge for draft, name in named for edge in _edges(draft, name, maker)),
        inputs=tuple(name for draft, name in named if draft.op == "Input"),
        output_ports=tuple(maker[value] for value in net.outputs if value in maker),
        fixed_outputs=tuple(value for value in net.outputs if value not in maker),
        headers=tensors.headers,
        shown={name: value for name, value in shown.items() if _is_shown(value, opening)},
        read=_constants_read(site),
        uses=_uses(site, graph, named),
    )


def _conditions(graph: Graph, read: Read) -> dict[str, bool]:
    """The numbers that follow from the file, one each, as what an If asks."""
    _, net = shapes_of(graph, net_of(graph, read), read)
    return {value: bool(array.any()) for value, array in net.numbers.items() if array.size == 1}


def layer_graph(path: Path, format: str, found: Folded, layers: Sequence[Layer]) -> LayerGraph:
    """The graph of a file whose nodes were folded. layers: those found, with what the file adds to them."""
    return LayerGraph(
        path=str(path),
        format=format,
        framework="onnx",
        order="flow",
        layers=with_axes(layers, "onnx"),
        edges=found.edges,
        has_flow=True,
        inputs=found.inputs,
        outputs=tuple(dict.fromkeys(port.layer for port in found.output_ports)),
        output_ports=found.output_ports,
        fixed_outputs=found.fixed_outputs,
    )


def _uses(site: Site, graph: Graph, named: Sequence[tuple[Draft, str]]) -> dict[tuple[str, str], Use]:
    makers = {node.outputs[0]: node for node in graph.nodes if node.outputs}
    found = ((name, uses_of(site, makers, draft)) for draft, name in named if draft.slots)
    return {(name, role): use for name, uses in found for role, use in uses.items()}


def _is_shown(value: str, opening: Opened) -> bool:
    """Whether a run of the file can give the value."""
    return not opening.is_inside(value) and not is_added(value)


def _constants_read(site: Site) -> tuple[Constant, ...]:
    """What the nodes that work on data read."""
    read: dict[int, Constant] = {}
    for index, node in enumerate(site.net.nodes):
        is_fixed = site.net.fixed.issuperset(value for value in node.outputs if value)
        if not is_fixed and not is_neutral(site, node, index):
            read.update((id(c.header), c) for c in constants_read(site, node, index))
    return tuple(read.values())


def _layers(
    site: Site,
    named: Sequence[tuple[Draft, str]],
    tensors: LayerTensors,
    added: Mapping[str, Mapping[str, Any]],
) -> tuple[Layer, ...]:
    """The layers with their tensors. added: attributes that the drafts do not say, by layer."""
    layouts = _layouts([draft for draft, _ in named])
    layers = []
    for draft, name in named:
        layer = tensors.layer(site, draft, name, layouts.get(own_value(draft)))
        layers.append(replace(layer, attributes={**layer.attributes, **added.get(name, {})}))
    return tuple(layers)


def _makers(drafts: Sequence[Draft], names: Sequence[str]) -> dict[str, Port]:
    """Each value as an output of the layer that makes it."""
    maker: dict[str, Port] = {}
    for draft, name in zip(drafts, names, strict=True):
        ports = (*draft.ports, *(0 for _ in draft.outputs[len(draft.ports) :]))
        maker |= {value: Port(name, port) for value, port in zip(draft.outputs, ports, strict=False)}
    return maker


def _added(
    site: Site, opening: Opened, named: Sequence[tuple[Draft, str]], maker: Mapping[str, Port]
) -> dict[str, dict[str, Any]]:
    """By layer: the branch of an If that it stands in, and the parts that its output is cut into."""
    added: dict[str, dict[str, Any]] = {}
    for draft, name in named:
        branch = opening.branch(draft.outputs)
        if branch:
            added[name] = {"branch": branch}
    for place, runs in divisions(site, [draft for draft, _ in named]).items():
        parts = tuple(_part(run, maker) for run in runs)
        added.setdefault(named[place][1], {})["parts"] = parts
    return added


def _part(run: Run, maker: Mapping[str, Port]) -> dict[str, Any]:
    """A part as an attribute: its features, and the layers that hold it."""
    layers = tuple(maker[value].layer for value in run.values)
    part = {"groups": run.groups, "start": run.start, "stop": run.stop, "layers": layers}
    if run.parts:
        part["parts"] = tuple(_part(inner, maker) for inner in run.parts)
    return part


def _layouts(drafts: Sequence[Draft]) -> dict[str, str]:
    """Where the channels of each value are, as far as convolutions and transposes tell."""
    layouts: dict[str, str] = {}
    for draft in drafts:
        layout = draft.attributes.get("data_format") or (
            layouts.get(draft.inputs[0]) if draft.inputs else None
        )
        if draft.op == "Permute":
            layout = _turned(tuple(draft.attributes.get("order", ())), layout)
        elif draft.class_name not in ("Squeeze", "Unsqueeze") and draft.op in WITHOUT_LAYOUT:
            layout = None
        if layout:
            layouts.update(dict.fromkeys(draft.outputs, layout))
    return layouts


def _turned(order: tuple[int, ...], layout: str | None) -> str | None:
    """The layout after a Permute; order counts from 1, the batch left out."""
    rank = len(order)
    if order == (*range(2, rank + 1), 1) and layout != "channels_last":
        return "channels_last"
    return "channels_first" if order == (rank, *range(1, rank)) else None


def _edges(draft: Draft, name: str, maker: Mapping[str, Port]) -> list[Edge]:
    edges = []
    keywords = (*draft.keywords, *("" for _ in draft.inputs[len(draft.keywords) :]))
    for position, (value, keyword) in enumerate(zip(draft.inputs, keywords, strict=False)):
        made = maker.get(value)
        if made is not None and made.layer != name:
            edges.append(Edge(made.layer, name, position, made.index, keyword))
    return edges
