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
    "CastLike": "Cast",
}


def same(site: Site, node: Node, index: int) -> Draft | None:
    return draft(site, node, index, SAME[node.op], {})


def transpose(site: Site, node: Node, index: int) -> Draft | None:
    """Permute: in Keras's way of counting, which leaves out the batch, where the batch stays in its place."""
    order = tuple(node.attributes.get("perm", ()))
    if not order and (rank := site.rank(node.inputs[0])):
        order = tuple(reversed(range(rank)))
    keeps_batch = order[:1] == (0,)
    attributes = {"order": order[1:]} if keeps_batch else {"order": order, "moves_batch": True}
    return draft(site, node, index, "Permute", attributes)


def reshape(site: Site, node: Node, index: int) -> Draft | None:
    """Reshape, or Flatten where a matrix comes out whose rows are the items of the batch."""
    if node.op == "Reshape" and _rank_after(site, node) == 2 and _keeps_batch(site, node):
        return draft(site, node, index, "Flatten", {})
    shape = site.shapes.get(node.outputs[0])
    attributes = {} if shape is None else {"shape": shape[1:]}
    return draft(site, node, index, "Reshape", attributes)


def flatten(site: Site, node: Node, index: int) -> Draft | None:
    axis, rank = int(node.attributes.get("axis", 1)), site.rank(node.inputs[0])
    axis = axis % rank if axis < 0 and rank else axis
    op = "Flatten" if axis == 1 else "Reshape"  # of another axis: rows that are no items of the batch
    return draft(site, node, index, op, {"axis": axis} if axis != 1 else {})


def _rank_after(site: Site, node: Node) -> int | None:
    """How many axes a Reshape gives, by its output's shape, else by the one it asks for."""
    shape = site.shapes.get(node.outputs[0])
    if shape is None:
        shape = requested_shape(node, Facts(site.net, site.shapes))
    return None if shape is None else len(shape)


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
    if rank < 3 or not _leaves_channels({axis % rank for axis in axes}, rank, node):
        return None
    has_channels_last = (rank - 1) not in {axis % rank for axis in axes}
    attributes = {
        "kind": "max" if node.op == "ReduceMax" else "average",
        "data_format": "channels_last" if has_channels_last else "channels_first",
    }
    return draft(site, node, index, "GlobalPool", attributes)


def _leaves_channels(gone: set[int], rank: int, node: Node) -> bool:
    """Whether the batch and the first or the last of the other axes are left."""
    keeps_axes = bool(node.attributes.get("keepdims", 1))
    if rank == 3 and 2 in gone and keeps_axes:  # a mean over features, as in a normalisation
        return False
    return 0 not in gone and len(gone) == rank - 2 and not {1, rank - 1} <= gone


def resize(site: Site, node: Node, index: int) -> Draft | None:
    mode = str(node.attributes.get("mode", "nearest"))
    found: dict[str, Any] = {"interpolation": {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)}
    shape = site.shapes.get(node.outputs[0])
    if shape:
        found["size"] = shape[1:-1] if node.has_channels_last else shape[2:]
    return draft(site, node, index, "Resize", found)


def plain(op: str) -> Builder:
    def build(site: Site, node: Node, index: int) -> Draft | None:
        return draft(site, node, index, op, {})

    return build


BUILDERS: dict[str, Builder] = {
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze"), reshape),
    "Flatten": flatten,
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
