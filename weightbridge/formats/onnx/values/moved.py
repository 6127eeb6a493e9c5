"""A fixed value that only moves the elements of one table: which row of it stands at each place."""

from itertools import product

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.constants import Constant, Read
from weightbridge.formats.onnx.values.evaluate import MOST, evaluate
from weightbridge.formats.onnx.values.net import Net
from weightbridge.model.tensors import Array

MOVES = frozenset({"Gather", "Slice", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand"})
SAME = frozenset({"Identity", "Cast"})
LONGEST = 12  # nodes between a table and what reads it


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table by their numbers, without the axis of what a row holds, which is `axis` from the end.

    is_turned: whether a row is a column as the file has it.
    """

    table: Constant
    numbers: Array
    axis: int
    is_turned: bool = False


def rows_of(value: str, net: Net, read: Read) -> Rows | None:
    """What is looked up in a table of two axes; None for anything else."""
    found = _followed(value, net)
    if found is None:
        return None
    table, nodes = found
    if len(table.header.dims) != 2 or not 1 < table.size <= MOST:
        return None
    places = np.arange(table.size).reshape(table.header.dims)
    for node in nodes:
        moved = _moved(node, places, net, read)
        if moved is None:
            return None
        places = moved
    return _rows(table, places)


def _followed(value: str, net: Net) -> tuple[Constant, list[Node]] | None:
    """The table, and the nodes from it to the value that move its elements, a Gather among them."""
    nodes: list[Node] = []
    while (node := net.source(value)) is not None:
        if node.domain or node.op not in MOVES | SAME or len(nodes) > LONGEST:
            return None
        nodes.append(node)
        value = node.inputs[0]
    table = net.constants.get(value)
    has_gather = any(node.op == "Gather" for node in nodes)
    return (table, nodes[::-1]) if table is not None and has_gather else None


def _moved(node: Node, places: Array, net: Net, read: Read) -> Array | None:
    if node.op in SAME:
        return places
    others = ((name, net.repeated.get(name, net.numbers.get(name))) for name in node.inputs[1:])
    known = {name: array for name, array in others if array is not None}
    return evaluate(node, {**known, node.inputs[0]: places}, read)


def _rows(table: Constant, places: Array) -> Rows | None:
    """places: the elements of the table by their numbers in it."""
    ways = product(reversed(range(places.ndim)), (False, True))
    found = (_along(table, places, axis, is_turned=is_turned) for axis, is_turned in ways)
    return next((rows for rows in found if rows is not None), None)


def _along(table: Constant, places: Array, axis: int, *, is_turned: bool) -> Rows | None:
    """Where whole rows stand along an axis, or whole columns."""
    own = np.arange(table.size).reshape(table.header.dims)
    own = own.T if is_turned else own
    first = places.take(0, axis)
    numbers = first if is_turned else first // own.shape[1]
    is_known = places.shape[axis] == own.shape[1] and numbers.max() < len(own)
    if not is_known or not np.array_equal(np.moveaxis(places, axis, -1), own[numbers]):
        return None
    return Rows(table, numbers, axis - places.ndim, is_turned)
