"""An ONNX graph folded into canonical layers: drafts from nodes, then names, tensors, shapes and edges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.formats.onnx.branches import Opened, opened
from weightbridge.formats.onnx.cells import loops, recurrent
from weightbridge.formats.onnx.cells.unrolled import cell_drafts
from weightbridge.formats.onnx.drafts import Builder, Draft, Site, opaque
from weightbridge.formats.onnx.groups.batchnorm import batchnorm_drafts
from weightbridge.formats.onnx.groups.biases import with_biases
from weightbridge.formats.onnx.groups.fused_outputs import Run, divisions
from weightbridge.formats.onnx.groups.groupnorm import with_group_norms
from weightbridge.formats.onnx.groups.regions import region_drafts
from weightbridge.formats.onnx.names import layer_names
from weightbridge.formats.onnx.nodes import conv, dense, elementwise, norms, plain
from weightbridge.formats.onnx.nodes.details import details, part_of_split
from weightbridge.formats.onnx.nodes.operands import name_of
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.shapes.infer import shapes_of
from weightbridge.formats.onnx.tensors import DTYPES, dtype_name
from weightbridge.formats.onnx.values.net import Net, Read, net_of
from weightbridge.formats.onnx.values.stored_axes import stored_axes
from weightbridge.formats.onnx.wellformed import with_marks
from weightbridge.model.graph import Edge, Layer, Port
from weightbridge.model.tensors import Array, Tensor
from weightbridge.model.vocabulary import RECURRENT, RESHAPES

# Layers whose output has no channel axis at a known place
WITHOUT_LAYOUT = RECURRENT | RESHAPES | {"Dense", "MatMul", "Opaque"}
BUILDERS: Mapping[str, Builder] = {
    **conv.BUILDERS,
    **dense.BUILDERS,
    **norms.BUILDERS,
    **recurrent.BUILDERS,
    **loops.BUILDERS,
    **elementwise.BUILDERS,
    **plain.BUILDERS,
}
Loader = Callable[[TensorHeader], Callable[[], Array]]


@dataclass(frozen=True, slots=True)
class Folded:
    """Layers and edges, the tensors' headers by tensor name, and the value that shows each layer's output."""

    layers: tuple[Layer, ...]
    edges: tuple[Edge, ...]
    inputs: tuple[str, ...]
    output_ports: tuple[Port, ...]
    headers: Mapping[str, TensorHeader]
    shown: Mapping[str, str]


def fold(graph: Graph, opset: int, read: Read, loader: Loader) -> Folded:
    """The layers of a graph. read: the values of a small constant; loader: what will read a weight."""
    opening = opened(with_marks(graph))
    shapes, net = shapes_of(opening.graph, net_of(opening.graph, read), read)
    site = Site(net, shapes, opset, read)
    drafts = [*_inputs(opening.graph, net), *_drafts(site)]
    names = layer_names(drafts, net.nodes)
    maker = _makers(drafts, names)
    named = list(zip(drafts, names, strict=True))
    layouts, tensors, added = _layouts(drafts, net), _Tensors(loader), _added(site, opening, named, maker)
    layers = []
    for draft, name in named:
        layer = tensors.layer(site, draft, name, layouts.get(_own_value(draft)))
        more = added.get(name)
        layers.append(replace(layer, attributes={**layer.attributes, **more}) if more else layer)
    return Folded(
        layers=tuple(layers),
        edges=tuple(edge for draft, name in named for edge in _edges(draft, name, maker)),
        inputs=tuple(name for draft, name in named if draft.op == "Input"),
        output_ports=tuple(maker[value] for value in net.outputs if value in maker),
        headers=tensors.headers,
        shown={n: d.shown for d, n in named if d.shown and d.shown not in opening.branches},
    )


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


def _inputs(graph: Graph, net: Net) -> list[Draft]:
    found = []
    for info in graph.inputs:
        if net.is_data(info.name):
            dtype = {"dtype": DTYPES[info.elem_type]} if info.elem_type in DTYPES else {}
            shape = {"shape": info.shape[1:]} if info.shape is not None else {}
            found.append(Draft("Input", info.name, (), (), (info.name,), info.name, {**shape, **dtype}))
    return found


def _drafts(site: Site) -> list[Draft]:
    regions = region_drafts(site, batchnorm_drafts(site, cell_drafts(site)))
    found = []
    for index, node in enumerate(site.net.nodes):
        region = regions.get(index)
        if region is not None:
            if index == region.place:
                found.append(region)
        elif not site.net.fixed.issuperset(v for v in node.outputs if v):
            found += _by_output(site, node, index)
    return with_biases(site, with_group_norms(site, found))


def _by_output(site: Site, node: Node, index: int) -> list[Draft]:
    """A node is one layer; a Split is one for each part, a recurrent one may be one for each direction."""
    whole = _draft(site, node, index)
    if node.op == "Split":
        return [
            replace(whole, outputs=(value,), shown=value, ports=(0,), details=part_of_split(site, node, port))
            for value, port in zip(whole.outputs, whole.ports, strict=True)
        ]
    drafts = [whole]
    if node.op in recurrent.BUILDERS and not node.domain:
        drafts = recurrent.by_direction(site, node, index, whole)
    return [_with_details(site, node, draft) for draft in drafts]


def _draft(site: Site, node: Node, index: int) -> Draft:
    is_known = node.domain in ("", "com.microsoft") and node.inputs and node.outputs
    builder = BUILDERS.get(node.op) if is_known else None
    built = builder(site, node, index) if builder else None
    return built or opaque(site, node, index)


def _with_details(site: Site, node: Node, draft: Draft) -> Draft:
    """What a node says of itself belongs to the layer that does its work."""
    if draft.op == "Concat" and node.op != "Concat":  # it joins two directions
        return draft
    names = [name_of(node, place) for place, value in enumerate(node.inputs) if site.net.is_data(value)]
    return replace(draft, details=details(site, node, draft), keywords=tuple(names))


def _part(run: Run, maker: Mapping[str, Port]) -> dict[str, Any]:
    """A part as an attribute: its features, and the layers that hold it."""
    layers = tuple(maker[v].layer for v in run.values)
    found = {"groups": run.groups, "start": run.start, "stop": run.stop, "layers": layers}
    return found | ({"parts": tuple(_part(r, maker) for r in run.parts)} if run.parts else {})


def _layouts(drafts: Sequence[Draft], net: Net) -> dict[str, str]:
    """Where the channels of each value are, as far as convolutions and transposes tell."""
    found: dict[str, str] = {}
    for d in drafts:
        layout = d.attributes.get("data_format") or (found.get(d.inputs[0]) if d.inputs else None)
        if d.op == "Permute":
            layout = _turned(tuple(d.attributes.get("order", ())), layout)
        elif d.class_name not in ("Squeeze", "Unsqueeze") and d.op in WITHOUT_LAYOUT:
            layout = None
        if layout:
            found.update(dict.fromkeys(d.outputs, layout))
    return found


def _own_value(draft: Draft) -> str:
    """What a layer gives to the next one: of a convolution whose bias is added behind a Permute, the map that
    is turned then.
    """
    return (
        draft.outputs[0]
        if "data_format" in draft.attributes and draft.outputs and draft.shown not in draft.outputs
        else draft.shown
    )


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


class _Tensors:
    """The tensors given out so far: each belongs to the first layer that reads it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.headers: dict[str, TensorHeader] = {}
        self.names: dict[int, str] = {}
        self.owners: dict[int, str] = {}

    def layer(self, site: Site, draft: Draft, name: str, layout: str | None) -> Layer:
        own, tied = self._own_and_tied(draft, name)
        shape = site.shapes.get(_own_value(draft))
        axes = _axes_as_stored(draft)
        attributes: dict[str, Any] = dict(draft.attributes)
        if layout and shape is not None and len(shape) > 2:
            attributes["data_format"] = layout
        if "kernel" in axes and "transposed" in attributes:
            attributes["transposed"] = axes["kernel"] == "o i"
        if axes:
            attributes["layouts"] = axes
        if tied:
            attributes["tied"] = tied
        if tied and not own:
            attributes["shared_with"] = self.owners[id(draft.slots[0].constant.header)]
        shown = shape[1:] if shape is not None else None
        return Layer(name, draft.op, draft.class_name, attributes, own, shown, draft.details)

    def _own_and_tied(self, draft: Draft, name: str) -> tuple[tuple[Tensor, ...], dict[str, str]]:
        own, tied = [], {}
        for slot in draft.slots:
            header = slot.constant.header
            if id(header) in self.names:
                tied[slot.role] = self.names[id(header)]
            else:
                own.append(self._tensor(slot.role, slot.constant.name, header, name))
        return tuple(own), tied

    def _tensor(self, role: str, name: str, header: TensorHeader, layer: str) -> Tensor:
        unique = name or f"{layer}/{role}"
        n = 1
        while unique in self.headers:
            n += 1
            unique = f"{name or layer}~{n}"
        self.headers[unique] = header
        self.names[id(header)], self.owners[id(header)] = unique, layer
        return Tensor(unique, role, header.dims, dtype_name(header), unique, self.loader(header))


def _axes_as_stored(draft: Draft) -> dict[str, str]:
    """By role: the axes of tensors that are stored otherwise than the layer sees them."""
    axes = {}
    for slot in draft.slots:
        constant = slot.constant
        stored = stored_axes(slot.axes, constant.views, constant.header.dims) if slot.axes else ""
        if stored != slot.axes:
            axes[slot.role] = stored
    return axes
