"""Matrix products and look-ups of ONNX as canonical layers."""

from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, draft
from weightbridge.formats.onnx.nodes import picked
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.constants import Constant

BEFORE_LAST = -2
FACTORS = {"MatMulInteger": (0, 1), "QLinearMatMul": (0, 3)}  # inputs


def gemm(site: Site, node: Node, index: int) -> Draft | None:
    """Dense, where the second factor is a constant. alpha, beta and transA are kept where they are not 1, 1
    and 0.
    """
    kernel = site.weight(node.inputs[1])
    if kernel is None or kernel.shape is None or len(kernel.shape) != 2:
        return None
    is_turned = bool(node.attributes.get("transB", 0))
    axes = "o i" if is_turned else "i o"
    bias = site.weight(node.inputs[2]) if len(node.inputs) > 2 else None
    found: dict[str, Any] = {
        "units": kernel.shape[0 if is_turned else 1],
        "use_bias": bias is not None,
        "transposed": is_turned,
    }
    found |= {k: float(node.attributes[k]) for k in ("alpha", "beta") if node.attributes.get(k, 1.0) != 1.0}
    if node.attributes.get("transA", 0):
        return None
    return draft(
        site,
        node,
        index,
        "Dense",
        found,
        Slot("kernel", kernel, axes),
        Slot("bias", bias, "o") if bias else None,
    )


def matmul(site: Site, node: Node, index: int) -> Draft | None:
    """Dense, where one factor is a constant matrix; a product of two data values is a merge."""
    left, right = (site.weight(value) for value in node.inputs[:2])
    data = len(site.data(node, index))
    if left is None and right is None:
        return draft(site, node, index, "MatMul", {}) if data == 2 else None
    if data != 1:
        return None
    if right is not None:
        return _product(site, node, index, right)
    return _product(site, node, index, left, is_left=True) if left is not None else None


def _product(site: Site, node: Node, index: int, kernel: Constant, is_left: bool = False) -> Draft | None:
    """A matrix on the left works on the axis before the last, and is stored as (out, in)."""
    if kernel.shape is None or len(kernel.shape) != 2:
        return None
    attributes = {"units": kernel.shape[0 if is_left else 1], "use_bias": False, "transposed": is_left}
    if is_left and site.rank(node.inputs[1]) != 1:
        attributes["axis"] = BEFORE_LAST
    axes = "o i" if is_left else "i o"
    return draft(site, node, index, "Dense", attributes, Slot("kernel", kernel, axes))


def integer_matmul(site: Site, node: Node, index: int) -> Draft | None:
    """A product of two data values is a merge; codes whose scale is not known are no kernel."""
    factors = [node.inputs[place] for place in FACTORS[node.op]]
    are_data = all(site.net.is_data(value) for value in factors)
    return draft(site, node, index, "MatMul", {}) if are_data else None


def einsum(site: Site, node: Node, index: int) -> Draft | None:
    equation = str(node.attributes.get("equation", "")).replace(" ", "")
    weights = [(i, site.weight(v)) for i, v in enumerate(node.inputs)]
    known = [(i, c) for i, c in weights if c is not None]
    if len(site.data(node, index)) > 1:
        return draft(site, node, index, "Dot", {"equation": equation})
    if len(known) != 1 or "->" not in equation or equation.count(",") != 1:
        return None
    at, kernel = known[0]
    if at > 1:
        return None
    axes = equation.split("->")[0].split(",")[at]
    found = {"equation": equation, "use_bias": False, "transposed": False}
    return draft(
        site,
        node,
        index,
        "EinsumDense",
        found,
        Slot("kernel", kernel, " ".join(axes) if axes.isalpha() else ""),
    )


def gather(site: Site, node: Node, index: int) -> Draft | None:
    """Embedding, where rows of a table are looked up by data; a constant index into data is a Slice."""
    if site.net.is_data(node.inputs[0]) and not site.net.is_data(node.inputs[1]):
        return draft(site, node, index, "Slice", {})
    if site.net.is_data(node.inputs[0]):
        return picked.of_row(site, node, index)
    table = site.weight(node.inputs[0])
    if (
        table is None
        or table.shape is None
        or len(table.shape) != 2
        or int(node.attributes.get("axis", 0))
        or not site.net.is_data(node.inputs[1])
    ):
        return None
    found = {"input_dim": table.shape[0], "output_dim": table.shape[1]}
    return draft(site, node, index, "Embedding", found, Slot("embeddings", table, "v e"))


BUILDERS: dict[str, Builder] = {
    "Gemm": gemm,
    "MatMul": matmul,
    **dict.fromkeys(FACTORS, integer_matmul),
    "Einsum": einsum,
    "Gather": gather,
    "GatherND": picked.of_items,
}
