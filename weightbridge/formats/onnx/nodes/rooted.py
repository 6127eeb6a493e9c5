"""max(sqrt(variance), least) of a tensor: what Keras's Normalization divides by, or multiplies with."""

from weightbridge.boundary.records import dataclass
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
    node, least = _above_least(site, _maker(site, value))
    if node is None or node.op != "Sqrt" or node.domain:
        return None
    tensor = site.constant(node.inputs[0])
    return None if tensor is None or tensor.views else Rooted(tensor, least)


def _above_least(site: Site, node: Node | None) -> tuple[Node | None, float]:
    """What a Max with a number works on, and that number; any other node as it is."""
    if node is None or node.op != "Max" or len(node.inputs) != 2:
        return node, 0.0
    numbers = {i: n for i, v in enumerate(node.inputs) if (n := site.net.scalar(v)) is not None}
    if len(numbers) != 1:
        return None, 0.0
    place, number = next(iter(numbers.items()))
    return _maker(site, node.inputs[1 - place]), decimal(number)


def _maker(site: Site, value: str) -> Node | None:
    """The node that makes a value, through those that hand it on."""
    node = site.net.source(value)
    for _ in range(LONGEST):
        if node is None or node.domain or node.op not in HANDED_ON:
            break
        node = site.net.source(node.inputs[0])
    return node
