"""Places that each item of a batch picks for itself, `x[arange(len(x)), places]`, as exporters write it.

GatherND(x, Concat(items, places))       Gather(Flatten(x, axis=2), places + items * length)
"""

from collections.abc import Sequence
from dataclasses import replace

from weightbridge.formats.onnx.drafts import Draft, Site, draft, numbers_of
from weightbridge.formats.onnx.proto import Node

CLASS = "PickedByItem"


def of_row(site: Site, node: Node, index: int) -> Draft | None:
    """A Gather of one row of the places of all items, by its number in the item and where the item begins."""
    made = site.net.source(node.inputs[1])
    is_sum = made is not None and made.op == "Add" and not made.domain
    if made is None or not is_sum or int(node.attributes.get("axis", 0)):
        return None
    for places, items in (made.inputs, made.inputs[::-1]):
        size = item_size(site, items)
        if size is not None and site.net.is_data(places):
            return _draft(site, node, index, places, {"item_size": size})
    return None


def of_items(site: Site, node: Node, index: int) -> Draft | None:
    """A GatherND by the number of the item and one place in it, or by that place alone."""
    if site.net.is_data(node.inputs[0]) and node.inputs[1] in site.net.numbers:
        return _of_first(site, node, index)
    shape = site.shapes.get(node.inputs[1])
    if not site.net.is_data(node.inputs[0]) or shape is None:
        return None
    batch_dims = int(node.attributes.get("batch_dims", 0))
    if batch_dims == 1 and shape[-1] == 1:
        return _draft(site, node, index, node.inputs[1], {"is_column": True})
    joined = _joined(site, node.inputs[1], len(shape)) if batch_dims == 0 else ()
    if len(joined) != 2 or item_size(site, joined[0]) != 1 or not site.net.is_data(joined[1]):
        return None
    return _draft(site, node, index, joined[1], {"is_column": True})


def _of_first(site: Site, node: Node, index: int) -> Draft | None:
    """A GatherND by fixed numbers of the first axis alone, which is a Gather."""
    numbers = site.net.numbers[node.inputs[1]]
    if int(node.attributes.get("batch_dims", 0)) or not numbers.ndim or numbers.shape[-1] != 1:
        return None
    told = {"axis": 0, "indices": numbers_of(numbers[..., 0])}
    return replace(draft(site, node, index, "Slice", told), class_name="Gather")


def item_size(site: Site, value: str) -> int | None:
    """By how much a number that only the item decides grows from one item to the next, from zero on."""
    found = site.net.strided.get(value)
    return None if found is None or found[0].any() else found[1]


def _joined(site: Site, value: str, rank: int) -> Sequence[str]:
    """What a Concat puts beside each other along the last axis."""
    node = site.net.source(value)
    is_joined = node is not None and node.op == "Concat" and not node.domain
    axis = int(node.attributes.get("axis", 0)) if node is not None and is_joined else 0
    return node.inputs if node is not None and is_joined and axis % rank == rank - 1 else ()


def _draft(site: Site, node: Node, index: int, places: str, told: dict[str, int | bool]) -> Draft:
    found = draft(site, node, index, "Opaque", told)
    return Draft(
        op=found.op,
        class_name=CLASS,
        nodes=found.nodes,
        inputs=(node.inputs[0], places),
        outputs=found.outputs,
        shown=found.shown,
        attributes=told,
    )
