"""A node's canonical settings and the shape that it gives, from the shapes that it is really fed."""

from collections.abc import Mapping, Sequence
from typing import Any

from weightbridge.formats.keras.architecture.details import details
from weightbridge.formats.keras.architecture.flow import Node
from weightbridge.formats.keras.architecture.shapes import output_shape
from weightbridge.formats.keras.graph import attributes_of, op_of
from weightbridge.model.graph import Shape


def settings_of(node: Node, shapes: Sequence[Shape]) -> Mapping[str, Any]:
    """Attributes and details of one call. shapes: of its inputs, with the batch."""
    op = op_of(node)
    found = attributes_of(node, op, shapes[0][1:] if shapes else None)
    return {**details(op, node.layer, node.call, found), **found}


def shape_of(node: Node, settings: Mapping[str, Any], shapes: Sequence[Shape]) -> Shape | None:
    """With the batch; None where it does not follow."""
    op = op_of(node)
    if not shapes:
        return None
    found = output_shape(op, node.layer.class_name, settings, tuple(shape[1:] for shape in shapes))
    return None if found is None else (shapes[0][0], *found)
