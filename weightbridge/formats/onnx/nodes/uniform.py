"""A constant that is one number everywhere, in a shape that depends on the batch: torch.zeros_like."""

import numpy as np

from weightbridge.formats.onnx.drafts import Site, decimal
from weightbridge.formats.onnx.proto import Node, TensorHeader
from weightbridge.formats.onnx.shapes.infer import broadcast

KEEPING = frozenset({"Identity", "Cast", "Expand", "Unsqueeze", "Squeeze", "Reshape", "Transpose"})
LONGEST = 8


def uniform(site: Site, node: Node, value: str) -> float | int | bool | None:
    """The number; None where it is another kind of constant, or where its shape makes the result larger."""
    number = _filled(site, value)
    if number is None:
        return None
    others = [site.shapes.get(one) for one in node.inputs if one and one != value]
    whole = site.shapes.get(node.outputs[0])
    return number if whole is not None and broadcast(others) == whole else None


def _filled(site: Site, value: str) -> float | int | bool | None:
    """The number that a ConstantOfShape fills in, through what hands it on."""
    for _ in range(LONGEST):
        node = site.net.source(value)
        if node is None or node.domain or node.op not in KEEPING:
            break
        value = node.inputs[0]
    is_filled = node is not None and not node.domain and node.op == "ConstantOfShape"
    return _number(site, node) if node is not None and is_filled else None


def _number(site: Site, node: Node) -> float | int | bool:
    told = node.attributes.get("value")
    array = site.read(told) if isinstance(told, TensorHeader) else np.zeros(1, np.float32)
    number: float | int | bool = np.asarray(array).reshape(-1)[0].item()
    return decimal(number) if isinstance(number, float) else number
