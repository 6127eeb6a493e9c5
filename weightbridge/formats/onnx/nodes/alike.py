"""Constants whose shape depends on the batch: one number everywhere, or alike in all items (expand)."""

from typing import Any

import numpy as np

from weightbridge.formats.onnx.drafts import Site, decimal, numbers_of
from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.shapes.infer import broadcast

Number = float | int | bool
KEEPING = frozenset({"Identity", "Cast", "Expand", "Unsqueeze", "Squeeze", "Reshape", "Transpose"})
LONGEST = 8


def alike(site: Site, node: Node, value: str) -> Any:
    """A number, or the numbers of one item, beside a value that has the whole shape already.

    None where it is another kind of constant, or where its shape makes the result larger.
    """
    others = [site.shapes.get(one) for one in node.inputs if one and one != value]
    whole = site.shapes.get(node.outputs[0])
    if whole is None:
        return None
    items = site.net.repeated.get(value)
    if items is not None:
        return numbers_of(items) if broadcast([*others, items.shape]) == whole else None
    return _filled(site, value) if broadcast(others) == whole else None


def _filled(site: Site, value: str) -> Number | None:
    """The number that a ConstantOfShape fills in, through what hands it on."""
    for _ in range(LONGEST):
        node = site.net.source(value)
        if node is None or node.domain or node.op not in KEEPING:
            break
        value = node.inputs[0]
    is_filled = node is not None and not node.domain and node.op == "ConstantOfShape"
    return _number(site, node) if node is not None and is_filled else None


def _number(site: Site, node: Node) -> Number:
    told = node.attributes.get("value")
    array = site.read(told) if isinstance(told, TensorHeader) else np.zeros(1, np.float32)
    number: Number = np.asarray(array).reshape(-1)[0].item()
    return decimal(number) if isinstance(number, float) else number
