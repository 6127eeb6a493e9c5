"""An ONNX graph folded into canonical layers: drafts from nodes, then names, tensors, shapes and edges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from weightbridge.formats.onnx.branches import opened
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
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.shapes.infer import shapes_of
from weightbridge.formats.onnx.tensors import DTYPES, dtype_name
from weightbridge.formats.onnx.values.net import Net, Read, net_of
from weightbridge.formats.onnx.values.stored_axes import stored_axes
from weightbridge.model.graph import Edge, Layer
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
    outputs: tuple[str, ...]
    headers: Mapping[str, TensorHeader]
    shown: Mapping[str, str]


def fold(graph: Graph, opset: int, read: Read, loader: Loader) -> Folded:
    """The layers of a graph. read: the values of a small constant; loader: what will read a weight."""
    opening = opened(graph)
    graph = opening.graph
    shapes, net = shapes_of(graph, net_of(graph, read), read)
    site = Site(net, shapes, opset, read)
    drafts = [*_inputs(graph, net), *_drafts(site)]
    names = layer_names(drafts, net.nodes)
    layouts = _layouts(drafts, net)
    tensors = _Tensors(loader)
    layers = tuple(
        tensors.layer(site, d, n, layouts.get(_own_value(d))) for d, n in zip(drafts, names, strict=True)
    )
    maker = {value: name for d, name in zip(drafts, names, strict=True) for value in d.outputs}
    edges = (_edges(d, name, maker) for d, name in zip(drafts, names, strict=True))
    more: dict[str, dict[str, Any]] = {
        n: {"branch": b} for d, n in zip(drafts, names, strict=True) if (b := opening.branch(d.outputs))
    }
    for n, runs in divisions(site, drafts).items():
        more.setdefault(names[n], {})["parts"] = tuple(_part(run, maker) for run in runs)
    return Folded(
        layers=tuple(
            replace(x, attributes={**x.attributes, **more[x.name]}) if x.name in more else x for x in layers
        ),
        edges=tuple(e for found in edges for e in found),
        inputs=tuple(n for d, n in zip(drafts, names, strict=True) if d.op == "Input"),
        outputs=tuple(dict.fromkeys(maker[v] for v in net.outputs if v in maker)),
        headers=tensors.headers,
        shown={
            n: d.shown
            for d, n in zip(drafts, names, strict=True)
            if d.shown and d.shown not in opening.branches
        },
    )


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
    """A node is one layer; a Split as many as it makes parts, as each is read by others, a recurrent one may
    be one for each direction.
    """
    made = _draft(site, node, index)
    if node.op == "Split":
        return [replace(made, outputs=(v,), shown=v) for v in made.outputs]
    return (
        recurrent.by_direction(site, node, index, made)
        if node.op in recurrent.BUILDERS and not node.domain
        else [made]
    )


def _part(run: Run, maker: Mapping[str, str]) -> dict[str, Any]:
    """A part as an attribute: its features, and the layers that hold it."""
    layers = tuple(maker[v] for v in run.values)
    found = {"groups": run.groups, "start": run.start, "stop": run.stop, "layers": layers}
    return found | ({"parts": tuple(_part(r, maker) for r in run.parts)} if run.parts else {})


def _draft(site: Site, node: Node, index: int) -> Draft:
    builder = (
        BUILDERS.get(node.op)
        if node.domain in ("", "com.microsoft") and node.inputs and node.outputs
        else None
    )
    try:
        found = builder(site, node, index) if builder else None
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):
        found = None  # attributes or inputs that contradict the operation: kept as an opaque layer
    return found or opaque(site, node, index)


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


def _edges(draft: Draft, name: str, maker: Mapping[str, str]) -> list[Edge]:
    return [Edge(maker[v], name, i) for i, v in enumerate(draft.inputs) if v in maker and maker[v] != name]


class _Tensors:
    """The tensors given out so far: each belongs to the first layer that reads it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.headers: dict[str, TensorHeader] = {}
        self.names: dict[int, str] = {}
        self.owners: dict[int, str] = {}

    def layer(self, site: Site, draft: Draft, name: str, layout: str | None) -> Layer:
        own, tied, axes = [], {}, {}
        for slot in draft.slots:
            header = slot.constant.header
            if id(header) in self.names:
                tied[slot.role] = self.names[id(header)]
            else:
                own.append(self._tensor(slot.role, slot.constant.name, header, name))
            stored = stored_axes(slot.axes, slot.constant.views, header.dims) if slot.axes else ""
            if stored != slot.axes:
                axes[slot.role] = stored
        shape = site.shapes.get(_own_value(draft))
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
            attributes["shared_with"] = self.owners[next(id(s.constant.header) for s in draft.slots)]
        return Layer(
            name, draft.op, draft.class_name, attributes, tuple(own), shape[1:] if shape is not None else None
        )

    def _tensor(self, role: str, name: str, header: TensorHeader, layer: str) -> Tensor:
        unique = name or f"{layer}/{role}"
        n = 1
        while unique in self.headers:
            n += 1
            unique = f"{name or layer}~{n}"
        self.headers[unique] = header
        self.names[id(header)], self.owners[id(header)] = unique, layer
        return Tensor(unique, role, header.dims, dtype_name(header), unique, self.loader(header))
