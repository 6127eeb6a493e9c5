"""max(sqrt(variance), least) of a tensor: what Keras's Normalization divides by, or multiplies with."""

from dataclasses import dataclass

from weightbridge.formats.onnx.drafts import Site, decimal
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.constants import Constant

HANDED_ON = frozenset({"Identity", "Cast"})
LONGEST = 8


@dataclass(frozen=True, slots=True)
class Rooted:
    """The tensor whose root a value is, and what it is at least."""

    tensor: Constant
    least: float


def rooted(site: Site, value: str) -> Rooted | None:
    node, least = _maker(site, value), 0.0
    if node is not None and node.op == "Max" and len(node.inputs) == 2:
        numbers = {i: n for i, v in enumerate(node.inputs) if (n := site.net.scalar(v)) is not None}
        if len(numbers) != 1:
            return None
        place, number = next(iter(numbers.items()))
        node, least = _maker(site, node.inputs[1 - place]), decimal(number)
    if node is None or node.op != "Sqrt" or node.domain:
        return None
    tensor = site.constant(node.inputs[0])
    return None if tensor is None or tensor.views else Rooted(tensor, least)


def _maker(site: Site, value: str) -> Node | None:
    """The node that makes a value, through those that hand it on."""
    node = site.net.source(value)
    for _ in range(LONGEST):
        if node is None or node.domain or node.op not in HANDED_ON:
            break
        node = site.net.source(node.inputs[0])
    return node
