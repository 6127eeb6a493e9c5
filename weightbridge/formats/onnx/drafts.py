"""Draft: a layer before it has a name, with the nodes that it stands for and the constants it owns."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Graph, Node, TensorHeader
from weightbridge.formats.onnx.quantised.values import CODES
from weightbridge.formats.onnx.shapes.rule import Shape
from weightbridge.formats.onnx.values.net import Constant, Net, Read
from weightbridge.formats.onnx.values.subgraphs import subgraphs
from weightbridge.formats.onnx.wellformed import operation_of
from weightbridge.model.tensors import Array

SPACE: Mapping[int, str] = {1: "w", 2: "h w", 3: "d h w"}


@dataclass(frozen=True, slots=True)
class Slot:
    """A tensor's place in a layer.

    axes: the axes that the layer sees (`o i h w`), "" where they are not known.
    """

    role: str
    constant: Constant
    axes: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A layer before it has a name.

    nodes: the nodes that it stands for, the last one at its place.
    inputs: the data values it reads; keywords: the arguments that they are, "" for the first one.
    outputs: the values it makes; ports: which outputs of the node they are, 0 where nothing is said.
    shown: the value that is its activation.
    hint: a value or node whose name may tell the layer's.
    """

    op: str
    class_name: str
    nodes: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shown: str
    attributes: Mapping[str, Any]
    slots: tuple[Slot, ...] = ()
    hint: str = ""
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    keywords: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def place(self) -> int:
        """Its place in topological order."""
        return self.nodes[-1] if self.nodes else -1

    def slot(self, role: str) -> Slot | None:
        return next((s for s in self.slots if s.role == role), None)


@dataclass(frozen=True)
class Site:
    """The graph that drafts are made from."""

    net: Net
    shapes: Mapping[str, Shape]
    opset: int
    read: Read

    def constant(self, value: str) -> Constant | None:
        return self.net.constants.get(value) if value else None

    def weight(self, value: str) -> Constant | None:
        """A constant that may be a weight: floating point with at least one axis, or quantised."""
        constant = self.constant(value)
        is_weight = constant is not None and is_float(constant) and constant.header.dims
        return constant if is_weight else None

    def rank(self, value: str) -> int | None:
        shape = self.shapes.get(value)
        return None if shape is None else len(shape)

    def data(self, node: Node, index: int) -> tuple[str, ...]:
        """The data that a node reads, those of its subgraphs last."""
        values = (*node.inputs, *self.net.captured.get(index, ()))
        return tuple(value for value in values if self.net.is_data(value))


Builder = Callable[[Site, Node, int], Draft | None]
NO_WEIGHTS: Mapping[str, tuple[int, ...]] = {  # inputs that are never weights: bounds, scales, zero points
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "Clip": (1, 2),
    "Pad": (1, 2),
    "OneHot": (1, 2),
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulNBits": (2, 3),
    "QGemm": (1, 2, 4, 5, 7, 8),
    **dict.fromkeys(("QLinearConv", "QLinearMatMul", "QLinearAdd", "QLinearMul"), (1, 2, 4, 5, 6, 7)),
}
QUANTISED = re.compile("Quant|QLinear|Integer|NBits|Bnb4|^Q[A-Z]")  # operations on codes, by their names
FLOATS = frozenset({1, 10, 11, 16, 17, 18, 19, 20, 23, 24})


def is_codes(constant: Constant) -> bool:
    """Whether these may be quantised values whose scale is not known."""
    header = constant.header
    return header.elem_type in CODES and header.scaling is None and constant.size > 1


def is_float(constant: Constant) -> bool:
    return constant.header.elem_type in FLOATS or constant.header.scaling is not None


def draft(
    site: Site, node: Node, index: int, op: str, attributes: Mapping[str, Any], *slots: Slot | None
) -> Draft:
    """A draft of one node. Constants that no slot names become slots, so that no weight is lost."""
    named = tuple(slot for slot in slots if slot is not None)
    outputs = tuple(value for value in node.outputs if value)
    return Draft(
        op=op,
        class_name=operation_of(node),
        nodes=(index,),
        inputs=site.data(node, index),
        outputs=outputs,
        shown=outputs[0] if outputs else "",
        attributes=attributes,
        slots=(*named, *_others(site, node, index, named)),
        ports=ports_of(node),
    )


def ports_of(node: Node) -> tuple[int, ...]:
    """The places of the outputs that a node gives: an LSTM may leave out its sequence."""
    return tuple(place for place, value in enumerate(node.outputs) if value)


def _others(site: Site, node: Node, index: int, given: tuple[Slot, ...]) -> tuple[Slot, ...]:
    taken = {id(s.constant.header) for s in given}
    kept = [c for c in constants_read(site, node, index) if id(c.header) not in taken]
    return tuple(Slot(str(i), c) for i, c in enumerate(kept))


def constants_read(site: Site, node: Node, index: int) -> tuple[Constant, ...]:
    """The constants that may be weights among what a node reads, those inside its subgraphs last."""
    is_quantised = bool(QUANTISED.search(operation_of(node)))
    read = [c for value in _values_read(site, node, index) for c in _constants_of(site, value, is_quantised)]
    read += [c for c in constants_inside(node, node.name or node.op) if is_float(c)]
    unique = {id(c.header): c for c in read}
    return tuple(c for c in unique.values() if c.header.dims)


def _values_read(site: Site, node: Node, index: int) -> list[str]:
    """What a node and its subgraphs read, without bounds, scales and zero points."""
    skipped = NO_WEIGHTS.get(operation_of(node), ())
    own = [value for place, value in enumerate(node.inputs) if place not in skipped]
    if node.op == "Where":
        own = [value for value in own if not _is_plain_number(site, value)]
    return [*own, *site.net.captured.get(index, ())]


def _is_plain_number(site: Site, value: str) -> bool:
    """Whether a node Constant gives it, and it is one number: to choose instead of another."""
    node = site.net.source(value)
    return node is not None and node.op == "Constant" and site.net.scalar(value) is not None


def _constants_of(site: Site, value: str, is_quantised: bool) -> Iterator[Constant]:
    """The constant that a value is, or those that it is computed from.

    is_quantised: whether codes count too, as they do where floats are computed from them and a scale.
    """
    constant = site.constant(value)
    if constant is not None:
        if is_float(constant) or (is_quantised and is_codes(constant)):
            yield constant
    elif value not in site.net.numbers:
        yield from _computed_from(site.net.weights.get(value, ()))


def _computed_from(constants: Sequence[Constant]) -> Iterator[Constant]:
    scales = [c for c in constants if is_float(c)]
    yield from (c for c in constants if c.size > 1 and (is_float(c) or (scales and is_codes(c))))


def inner_constants(graph: Graph, scope: str) -> Iterator[Constant]:
    """The tensors that stand inside a subgraph, and inside its own."""
    yield from (Constant(f"{scope}/{tensor.name}", tensor, tensor.dims) for tensor in graph.initializers)
    for node in graph.nodes:
        value = node.attributes.get("value") if node.op == "Constant" else None
        if isinstance(value, TensorHeader):
            name = node.outputs[0] if node.outputs else node.name
            yield Constant(f"{scope}/{name}", value, value.dims)
        yield from constants_inside(node, f"{scope}/{node.name or node.op}")


def constants_inside(node: Node, scope: str) -> Iterator[Constant]:
    """The tensors that stand inside a node's subgraphs."""
    for graph in subgraphs(node):
        yield from inner_constants(graph, scope)


def opaque(site: Site, node: Node, index: int) -> Draft:
    """A node that is none of the known ones, with its tensors and its plain attributes."""
    plain = {key: value for key, value in node.attributes.items() if _is_plain(value)}
    return draft(site, node, index, "Opaque", plain)


def _is_plain(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        or (isinstance(value, str) and value.isprintable())
        or (isinstance(value, tuple) and len(value) <= 16 and all(_is_plain(v) for v in value))
    )


def decimal(value: float) -> float:
    """The shortest number that is the same in float32: 1e-05 and not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


def numbers_of(array: Array) -> Any:
    """A number, or tuples of numbers as deep as the array has axes; floats as short as float32 allows."""
    if array.ndim:
        return tuple(numbers_of(part) for part in array)
    number = array.item()
    return decimal(number) if isinstance(number, float) else number
