"""Nodes of ONNX that move values and hold no weights: views, joins, resizing, reductions."""

from math import prod
from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Facts
from weightbridge.formats.onnx.shapes.vectors import requested_shape
from weightbridge.formats.onnx.values.views import axes_of

SAME = {
    "Identity": "Identity",
    "Cast": "Cast",
    "Dropout": "Dropout",
    "QuantizeLinear": "Cast",
    "DequantizeLinear": "Cast",
    "CastLike": "Cast",
}


def same(site: Site, node: Node, index: int) -> Draft | None:
    return draft(site, node, index, SAME[node.op], {})


def transpose(site: Site, node: Node, index: int) -> Draft | None:
    """Permute, in Keras's way of counting (the batch is not counted) where the batch stays; else the order as
    it is.
    """
    order = tuple(node.attributes.get("perm", ()))
    if not order and (rank := site.rank(node.inputs[0])):
        order = tuple(reversed(range(rank)))
    return draft(
        site,
        node,
        index,
        "Permute",
        {"order": order[1:]} if order[:1] == (0,) else {"order": order, "moves_batch": True},
    )


def reshape(site: Site, node: Node, index: int) -> Draft | None:
    """Flatten where a matrix comes out, Reshape otherwise."""
    shape = site.shapes.get(node.outputs[0])
    rank = len(shape) if shape is not None else None
    if node.op == "Flatten":
        return draft(site, node, index, "Flatten", {}) if int(node.attributes.get("axis", 1)) == 1 else None
    asked = requested_shape(node, Facts(site.net, site.shapes)) if node.op == "Reshape" else None
    rank = rank if rank is not None else len(asked) if asked is not None else None
    if node.op == "Reshape" and rank == 2 and _keeps_batch(site, node):
        return draft(site, node, index, "Flatten", {})
    target = shape[1:] if shape is not None else None
    return draft(site, node, index, "Reshape", {} if target is None else {"shape": target})


def _keeps_batch(site: Site, node: Node) -> bool:
    """Whether the rows of the matrix are the items of the batch, as far as the shapes tell."""
    before, after = site.shapes.get(node.inputs[0]), site.shapes.get(node.outputs[0])
    if before is None or after is None or None in before[1:] or after[1] is None:
        return before is None or len(before) > 2
    return len(before) > 2 and prod(n for n in before[1:] if n is not None) == after[1]


def concat(site: Site, node: Node, index: int) -> Draft | None:
    return draft(site, node, index, "Concat", {"axis": int(node.attributes.get("axis", -1))})


def reduce(site: Site, node: Node, index: int) -> Draft | None:
    """GlobalPool where all axes but the batch and one more are gone."""
    axes, rank = axes_of(node, site.net.numbers), site.rank(node.inputs[0])
    if not axes or node.op not in ("ReduceMean", "ReduceMax"):
        return None
    if rank is None:
        rank = len(axes) + 2
    if not rank:
        return None
    gone = {a % rank for a in axes}
    is_last_step = (
        rank == 3 and 2 in gone and bool(node.attributes.get("keepdims", 1))
    )  # a mean over features, as in a normalisation
    if rank < 3 or 0 in gone or len(gone) != rank - 2 or not {rank - 1, 1} - gone or is_last_step:
        return None
    layout = "channels_last" if rank - 1 not in gone else "channels_first"
    return draft(
        site,
        node,
        index,
        "GlobalPool",
        {"kind": "max" if node.op == "ReduceMax" else "average", "data_format": layout},
    )


def resize(site: Site, node: Node, index: int) -> Draft | None:
    mode = str(node.attributes.get("mode", "nearest"))
    found: dict[str, Any] = {"interpolation": {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)}
    shape = site.shapes.get(node.outputs[0])
    return draft(site, node, index, "Resize", found | ({"size": shape[2:]} if shape else {}))


def plain(op: str) -> Builder:
    def build(site: Site, node: Node, index: int) -> Draft | None:
        return draft(site, node, index, op, {})

    return build


BUILDERS: dict[str, Builder] = {
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    "Concat": concat,
    "ReduceMean": reduce,
    "ReduceMax": reduce,
    "Resize": resize,
    "Upsample": resize,
    "Slice": plain("Slice"),
    "Split": plain("Slice"),
    "GatherElements": plain("Slice"),
    "Tile": plain("Repeat"),
    "Expand": plain("Repeat"),
}
