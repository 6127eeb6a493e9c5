"""DequantizeLinear of data: floats that pass, or the activation that quantising took out.

onnxruntime's quantiser drops a Relu or Clip in front of a QuantizeLinear whose numbers begin at zero: what is
less becomes zero there all the same, and what is more the largest number that there is.
"""

import numpy as np

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.tensors import DTYPES
from weightbridge.model.activations import clipped

NEVER_NEGATIVE = frozenset({"Relu", "Clip", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Exp", "Abs"})
POOLS = frozenset({"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"})
MOVES = frozenset({"Pad", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather"})
PASSING = POOLS | MOVES | {"Identity", "QuantizeLinear", "DequantizeLinear"}


def dequantised(site: Site, node: Node, index: int) -> Draft | None:
    """Cast, or an Activation where the numbers begin at zero and what was quantised can be less."""
    high = _largest(site, node)
    if high is None or not _can_be_negative(site, node):
        return draft(site, node, index, "Cast", {})
    return draft(site, node, index, "Activation", {"activation": clipped(0.0, high)})


def _largest(site: Site, node: Node) -> float | None:
    """The largest float that the numbers stand for, where the least is zero; else None."""
    scale = site.net.scalar(node.inputs[1]) if len(node.inputs) > 1 else None
    zero = site.constant(node.inputs[2]) if len(node.inputs) > 2 else None
    dtype = "" if zero is None else DTYPES.get(zero.header.elem_type, "")
    if scale is None or "int" not in dtype:
        return None
    limits = np.iinfo(dtype)
    least, most = int(limits.min), int(limits.max)
    return (most - least) * scale if site.net.scalar(node.inputs[2]) == least else None


def _can_be_negative(site: Site, node: Node) -> bool:
    """Whether the numbers are made from what an operation gives that has negative values too."""
    made = _maker(site, node)
    if made is None or made.op != "QuantizeLinear":
        return False  # they are not made here, or are moved: what made them was asked
    before = _maker(site, made)
    while before is not None and before.op in PASSING:
        if before.op == "DequantizeLinear" and _largest(site, before) is not None:
            return False
        before = _maker(site, before)
    return before is not None and before.op not in NEVER_NEGATIVE


def _maker(site: Site, node: Node) -> Node | None:
    return site.net.source(node.inputs[0]) if node.inputs else None


BUILDERS: dict[str, Builder] = {"DequantizeLinear": dequantised}
