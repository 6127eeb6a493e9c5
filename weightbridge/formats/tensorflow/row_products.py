"""A product along the last axis that TensorFlow wrote as one of matrices: one product again.

Reshape (-1, i) -> MatMul or Gemm -> Reshape (..., o)    is    MatMul on the last axis
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.lower import ADDED
from weightbridge.formats.tensorflow.flow import Flow
from weightbridge.formats.tensorflow.values import Shape

PRODUCTS = ("Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class _Rows:
    """flat: what makes rows of the data, which others may read too. joined: what makes the axes again."""

    flat: Node
    product: Node
    joined: Node


def with_row_products(
    nodes: Sequence[Node], outputs: Sequence[str], shapes: Mapping[str, Shape | None]
) -> list[Node]:
    """shapes: those that the file states."""
    rewritten: dict[int, list[Node]] = {}
    flow = Flow(nodes, outputs)
    for rows in _all_rows(nodes, flow):
        if _keeps_axes(rows, shapes):
            rewritten |= {id(rows.product): [], id(rows.joined): _on_last_axis(rows)}
            rewritten[id(rows.flat)] = [] if flow.before(rows.product) is rows.flat else [rows.flat]
    return [written for node in nodes for written in rewritten.get(id(node), [node])]


def _all_rows(nodes: Sequence[Node], flow: Flow) -> list[_Rows]:
    found = (_rows(node, flow) for node in nodes if node.op in PRODUCTS)
    return [rows for rows in found if rows is not None]


def _rows(product: Node, flow: Flow) -> _Rows | None:
    flat, joined = flow.maker.get(product.inputs[0]), flow.after(product)
    if flat is None or joined is None or flat.op != "Reshape" or joined.op != "Reshape":
        return None
    is_data = joined.inputs[0] == product.outputs[0]
    return _Rows(flat, product, joined) if is_data and not product.attributes.get("transA") else None


def _keeps_axes(rows: _Rows, shapes: Mapping[str, Shape | None]) -> bool:
    """Whether only the last axis changes its length, as far as the file says how long all are."""
    before, after = shapes.get(rows.flat.inputs[0]), shapes.get(rows.joined.outputs[0])
    kernel = shapes.get(rows.product.inputs[1])
    if before is None or after is None or kernel is None or len(kernel) != 2 or len(before) < 3:
        return False
    wide = kernel[::-1] if rows.product.attributes.get("transB") else kernel
    are_known = None not in (*before[1:], *after[1:])
    return are_known and before[1:-1] == after[1:-1] and (before[-1], after[-1]) == tuple(wide)


def _on_last_axis(rows: _Rows) -> list[Node]:
    product, data, output = rows.product, rows.flat.inputs[0], rows.joined.outputs[0]
    kernel, bias = product.inputs[1], product.inputs[2:]
    nodes = []
    if product.attributes.get("transB"):
        turned = f"{output}{ADDED}kernel"
        nodes.append(Node("", "Transpose", "", (kernel,), (turned,), {"perm": (1, 0)}))
        kernel = turned
    made = f"{output}{ADDED}product" if bias else output
    nodes.append(Node(product.name, "MatMul", "", (data, kernel), (made,), {}))
    return [*nodes, Node(product.name, "Add", "", (made, *bias), (output,), {})] if bias else nodes
