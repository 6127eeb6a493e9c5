"""Sums by an equation that are products of matrices, as those of attention, in the axes of MatMul.

BTNH,BSNH->BNTS    is    MatMul of (B N T H) and (B N H S)
abc,cde->abde    is    one along the last axis
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.quantised.lower import ADDED


def with_matrix_products(nodes: Sequence[Node], tensors: Mapping[str, TensorHeader]) -> list[Node]:
    """tensors: those of the file, by value."""
    return [written for node in nodes for written in _written(node, tensors)]


def _written(node: Node, tensors: Mapping[str, TensorHeader]) -> list[Node]:
    equation = str(node.attributes.get("equation", "")).replace(" ", "")
    sides, _, made = equation.partition("->")
    letters = sides.split(",")
    if node.op != "Einsum" or node.domain or len(node.inputs) != 2 or not _is_plain(letters, made):
        return [node]
    if node.inputs[1] in tensors:
        return _along_last(node, letters, made, tensors[node.inputs[1]].dims) or [node]
    is_data = node.inputs[0] not in tensors
    return (_of_stacks(node, letters, made) or [node]) if is_data else [node]


def _is_plain(letters: Sequence[str], made: str) -> bool:
    """Whether each operand has each of its letters once."""
    are_letters = all(part.isalpha() and len({*part}) == len(part) for part in (*letters, made))
    return len(letters) == 2 and are_letters


def _along_last(node: Node, letters: Sequence[str], made: str, dims: tuple[int, ...]) -> list[Node] | None:
    """A product with a tensor along the last axes of the data."""
    data, kernel = letters
    count = sum(letter in data for letter in kernel)
    kept, units = data[: len(data) - count], kernel[count:]
    if not count or not units or len(kernel) != len(dims) or data[-count:] != kernel[:count]:
        return None
    if made != kept + units or not kept:
        return None
    sides = (prod(dims[:count]), prod(dims[count:]))
    output, values, nodes = node.outputs[0], list(node.inputs), list[Node]()
    if count > 1:
        nodes += _reshaped(values[0], f"{output}{ADDED}rows", (*(0 for _ in kept), sides[0]))
        values[0] = f"{output}{ADDED}rows"
    if len(dims) > 2:
        nodes += _reshaped(values[1], f"{output}{ADDED}matrix", sides)
        values[1] = f"{output}{ADDED}matrix"
    if len(units) == 1:
        return [*nodes, Node(node.name, "MatMul", "", tuple(values), node.outputs, {})]
    product = f"{output}{ADDED}product"
    nodes.append(Node(node.name, "MatMul", "", tuple(values), (product,), {}))
    return [*nodes, *_reshaped(product, output, (*(0 for _ in kept), *dims[count:]))]


def _reshaped(value: str, output: str, shape: tuple[int, ...]) -> list[Node]:
    told = f"{output}{ADDED}shape"
    constant = Node("", "Constant", "", (), (told,), {"value_ints": shape})
    return [constant, Node("", "Reshape", "", (value, told), (output,), {})]


@dataclass(frozen=True, slots=True)
class _Roles:
    """The letters of a product of stacked matrices, by what they are."""

    stacked: str
    rows: str
    summed: str
    columns: str

    @property
    def are_matrices(self) -> bool:
        return {len(self.rows), len(self.summed), len(self.columns)} == {1}


def _roles(left: str, right: str, made: str) -> _Roles:
    def those(among: str, *, within: str, without: str) -> str:
        return "".join(letter for letter in among if letter in within and letter not in without)

    stacked = "".join(letter for letter in made if letter in left and letter in right)
    summed = those(left, within=right, without=made)
    return _Roles(
        stacked, those(left, within=made, without=right), summed, those(right, within=made, without=left)
    )


def _of_stacks(node: Node, letters: Sequence[str], made: str) -> list[Node] | None:
    """A product of two stacks of matrices."""
    (left, right), (one, other) = letters, node.inputs
    roles = _roles(left, right, made)
    if not roles.are_matrices or len({*left, *right}) != len(roles.stacked) + 3:
        return None
    if made.index(roles.columns) < made.index(roles.rows):
        left, right, one, other = right, left, other, one
        roles = _roles(left, right, made)
    output, result = node.outputs[0], roles.stacked + roles.rows + roles.columns
    first = _turned(one, left, roles.stacked + roles.rows + roles.summed, f"{output}{ADDED}left")
    second = _turned(other, right, roles.stacked + roles.summed + roles.columns, f"{output}{ADDED}right")
    values = first[-1].outputs[0] if first else one, second[-1].outputs[0] if second else other
    product = output if result == made else f"{output}{ADDED}product"
    multiplied = Node(node.name, "MatMul", "", values, (product,), {})
    return [*first, *second, multiplied, *_turned(product, result, made, output)]


def _turned(value: str, before: str, after: str, output: str) -> list[Node]:
    if before == after:
        return []
    order = {"perm": tuple(before.index(letter) for letter in after)}
    return [Node("", "Transpose", "", (value,), (output,), order)]
