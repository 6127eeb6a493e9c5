"""Chains of nodes on one data value, with nothing but constants, or what they give, beside it."""

from collections.abc import Iterator, Mapping

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Draft, Site, is_float
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.net import Constant

COPIES = ("Identity", "Cast", "CastLike")
LINKS = frozenset({"Add", "Sub", "Mul", "Div", *COPIES})
LENGTH = 8  # nodes between the first that reads the data and the last
DEPTH = 64  # nodes that one factor is computed by
TENSORS = 4  # that one chain may read


@dataclass(frozen=True, slots=True)
class Chain:
    """Steps on one data value (`root`), each with constants alone beside it."""

    root: str
    nodes: tuple[int, ...]
    constants: Mapping[str, Constant]
    scalars: frozenset[float]


@dataclass(frozen=True, slots=True)
class _Tensors:
    """The vectors and numbers that the fixed values of a growing chain are computed from."""

    constants: dict[str, Constant]
    scalars: set[float]


def chains(site: Site, end: int, claimed: Mapping[int, Draft]) -> Iterator[Chain]:
    """Growing chains that end at this node."""
    index: int | None = end
    nodes: tuple[int, ...] = ()
    tensors = _Tensors({}, set())
    while index is not None and index not in claimed and len(nodes) < LENGTH:
        root = _linked_value(site, site.net.nodes[index])
        if root is None or not _gather(site, site.net.nodes[index], tensors):
            return
        nodes = (index, *nodes)
        yield Chain(root, nodes, dict(tensors.constants), frozenset(tensors.scalars))
        is_read_alone = site.net.only_reader(root) is not None
        index = site.net.producer.get(root) if is_read_alone else None


def _linked_value(site: Site, node: Node) -> str | None:
    """The one data value that a link reads; None for a node that is no link."""
    if node.op not in LINKS or node.domain:
        return None
    data = [value for value in node.inputs if site.net.is_data(value)]
    return data[0] if len(data) == 1 else None


def _gather(site: Site, node: Node, tensors: _Tensors) -> bool:
    """Notes what a node's fixed values are computed from. False where that is too much."""
    are_known = all(_gather_value(site, value, tensors) for value in node.inputs)
    return are_known and len(tensors.constants) <= TENSORS


def _gather_value(site: Site, value: str, tensors: _Tensors) -> bool:
    """Notes the vectors and numbers that a value is computed from. False where it takes too many nodes."""
    waiting, seen = [value], set[str]()
    while waiting and len(seen) < DEPTH:
        value = waiting.pop()
        if value in seen or not value or site.net.is_data(value):
            continue
        seen.add(value)
        waiting += _sources(site, value, tensors)
    return not waiting


def _sources(site: Site, value: str, tensors: _Tensors) -> tuple[str, ...]:
    """Notes a number or a tensor; the inputs of what computes any other value."""
    number, constant, source = site.net.scalar(value), site.constant(value), site.net.source(value)
    if number is not None:
        tensors.scalars.add(number)
    elif constant is not None:
        if is_float(constant):
            tensors.constants[value] = constant
    elif source is not None:
        return source.inputs
    return ()
