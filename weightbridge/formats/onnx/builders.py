"""The nodes of an ONNX graph -> drafts of its layers, each by the builder of its operation."""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module

from weightbridge.formats.onnx.cells.unrolled import cell_drafts
from weightbridge.formats.onnx.drafts import Builder, Draft, Site, opaque
from weightbridge.formats.onnx.groups.batchnorm import batchnorm_drafts
from weightbridge.formats.onnx.groups.biases import with_biases
from weightbridge.formats.onnx.groups.groupnorm import with_group_norms
from weightbridge.formats.onnx.groups.regions import region_drafts
from weightbridge.formats.onnx.nodes import conv, elementwise, plain
from weightbridge.formats.onnx.nodes.details import details, part_of_split
from weightbridge.formats.onnx.nodes.operands import name_of
from weightbridge.formats.onnx.per_item import per_item
from weightbridge.formats.onnx.proto import PER_ITEM, Graph, Node, ValueInfo
from weightbridge.formats.onnx.tensors import DTYPES
from weightbridge.formats.onnx.values.net import Net

BUILDERS: Mapping[str, Builder] = {**conv.BUILDERS, **elementwise.BUILDERS, **plain.BUILDERS}
RECURRENT = ("LSTM", "GRU", "RNN")
# Of operators that many models do without: the module that has their builders, imported when one is met.
RARER: Mapping[str, str] = {
    **dict.fromkeys(
        ("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "Einsum", "Gather", "GatherND"), "nodes.dense"
    ),
    **dict.fromkeys(("BatchNormalization", "LayerNormalization", "RMSNormalization"), "nodes.norms"),
    **dict.fromkeys(("SimplifiedLayerNormalization", "GroupNormalization"), "nodes.norms"),
    "InstanceNormalization": "nodes.norms",
    **dict.fromkeys(RECURRENT, "cells.recurrent"),
    "Loop": "cells.loops",
    "DequantizeLinear": "nodes.cuts",
}


def input_drafts(graph: Graph, net: Net) -> list[Draft]:
    """A draft for each input of the graph that is data."""
    return [_input_draft(info) for info in graph.inputs if net.is_data(info.name)]


def _input_draft(info: ValueInfo) -> Draft:
    dtype = {"dtype": DTYPES[info.elem_type]} if info.elem_type in DTYPES else {}
    shape = {"shape": info.shape[1:]} if info.shape is not None else {}
    batch = {"batch": info.shape[0]} if info.shape else {}
    value = info.name
    return Draft("Input", value, (), (), (value,), value, {**shape, **dtype}, details=batch)


def drafts_of(site: Site) -> list[Draft]:
    """The drafts of all nodes that compute data: of groups of nodes first, else of each by itself."""
    regions = region_drafts(site, batchnorm_drafts(site, cell_drafts(site)))
    drafts = []
    for index, node in enumerate(site.net.nodes):
        region = regions.get(index)
        if region is not None:
            if index == region.place:
                drafts.append(region)
        elif not site.net.fixed.issuperset(value for value in node.outputs if value):
            drafts += _by_output(site, node, index)
    return with_biases(site, with_group_norms(site, drafts))


def _by_output(site: Site, node: Node, index: int) -> list[Draft]:
    """A node is one layer; a Split is one for each part, a recurrent one may be one for each direction."""
    if PER_ITEM in node.attributes:
        return [per_item(site, node, index)]
    whole = _draft(site, node, index)
    if node.op == "Split":
        return [
            replace(whole, outputs=(value,), shown=value, ports=(0,), details=part_of_split(site, node, port))
            for value, port in zip(whole.outputs, whole.ports, strict=True)
        ]
    drafts = [whole]
    if node.op in RECURRENT and not node.domain:
        from weightbridge.formats.onnx.cells import recurrent

        drafts = recurrent.by_direction(site, node, index, whole)
    return [_with_details(site, node, draft) for draft in drafts]


def _draft(site: Site, node: Node, index: int) -> Draft:
    is_known = node.domain in ("", "com.microsoft") and node.inputs and node.outputs
    builder = builder_of(node.op) if is_known else None
    built = builder(site, node, index) if builder else None
    return built or opaque(site, node, index)


def builder_of(op: str) -> Builder | None:
    if op not in RARER:
        return BUILDERS.get(op)
    builder: Builder = import_module(f"weightbridge.formats.onnx.{RARER[op]}").BUILDERS[op]
    return builder


def _with_details(site: Site, node: Node, draft: Draft) -> Draft:
    """What a node says of itself belongs to the layer that does its work."""
    if draft.op == "Concat" and node.op != "Concat":  # it joins two directions
        return draft
    names = [name_of(node, place) for place, value in enumerate(node.inputs) if site.net.is_data(value)]
    told = {**draft.details, **details(site, node, draft)}
    return replace(draft, details=told, keywords=tuple(names))
