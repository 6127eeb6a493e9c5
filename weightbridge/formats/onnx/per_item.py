"""What a graph makes of constants for each item of a batch, where it computes on with weights: data, then.

    Expand(queries, [batch, 4, 8]), MatMul(., weight)        ConstantOfShape([batch, 8]), Gemm(., weight)

Learned queries and the zeros that a cell begins with are no weights of the layers that read them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import FLOATS, Draft, Site, Slot, numbers_of
from weightbridge.formats.onnx.proto import PER_ITEM, Graph, Node, TensorHeader
from weightbridge.formats.onnx.shapes.rule import Facts
from weightbridge.formats.onnx.shapes.vectors import vector_elements
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.formats.onnx.values.fixed import RANDOM, SHAPES
from weightbridge.formats.onnx.values.subgraphs import captured_by

CLASS = "PerItem"
SHAPE_OF = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1}  # which input says the shape
PRODUCTS = frozenset({"MatMul", "Gemm"})
NORMS = frozenset({"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"})
TURNS = frozenset({"Transpose", "Slice", "Identity", "Cast", "Split", "Reshape"})
SPREADING = frozenset({"Expand", "Identity", "Cast", "Unsqueeze", "Squeeze"})
DEEPEST = 8
ELSE = frozenset({"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Not", "And", "Or", "Shape"})


def with_items(graph: Graph) -> Graph:
    """The graph with the nodes marked that make such values, by the input whose batch they have."""
    source = _with_batch(graph)
    has_makers = any(node.op in SHAPE_OF and not node.domain for node in graph.nodes)
    chosen = _chosen(graph) if source and has_makers else frozenset()
    if not chosen:
        return graph
    nodes = (_marked(node, source) if _first(node) in chosen else node for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def _with_batch(graph: Graph) -> str:
    """The first input that has axes."""
    known = {tensor.name for tensor in graph.initializers}
    return next((info.name for info in graph.inputs if info.name not in known and info.shape != ()), "")


def _marked(node: Node, source: str) -> Node:
    return replace(node, attributes={**node.attributes, PER_ITEM: source})


def _first(node: Node) -> str:
    return node.outputs[0] if node.outputs else ""


@dataclass(slots=True)
class _Fixed:
    """What is known of the values that depend on constants and lengths alone, node by node.

    matrices: weights of two axes, as they are or turned. weights: all of several numbers, and views of them.
    lengths: those that depend on a length. tokens: weights that are repeated for each item.
    makers: by value, which of the nodes asked for made it.
    """

    floats: set[str]
    names: set[str]
    matrices: set[str]
    weights: set[str]
    lengths: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    makers: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        inputs, outputs = ([value for value in values if value] for values in (node.inputs, node.outputs))
        is_computed = node.op not in RANDOM and self.names.issuperset((*inputs, *captured_by(node)))
        if not is_computed and node.op not in SHAPES:
            return
        self.names.update(outputs)
        if node.op in SHAPES or not self.lengths.isdisjoint(inputs):
            self.lengths.update(outputs)
        if self._is_float(node, inputs):
            self.floats.update(outputs)
        self._add_views(node, inputs[:1], outputs)
        self.makers.update(dict.fromkeys(outputs, self._made_by(node, inputs, outputs)))

    def _add_views(self, node: Node, first: Sequence[str], outputs: Sequence[str]) -> None:
        for known, passing in ((self.matrices, TURNS), (self.weights, TURNS | {"Unsqueeze", "Squeeze"})):
            if node.op in passing and not known.isdisjoint(first):
                known.update(outputs)
        if node.op == "Expand" and not self.weights.isdisjoint(first):
            self.tokens.update(outputs)

    def _made_by(self, node: Node, inputs: Sequence[str], outputs: Sequence[str]) -> frozenset[str]:
        return self.made(inputs) | (frozenset(outputs) if self._is_maker(node) else frozenset())

    def made(self, values: Iterable[str]) -> frozenset[str]:
        return frozenset().union(*(self.makers.get(value, frozenset()) for value in values))

    def _is_float(self, node: Node, inputs: Sequence[str]) -> bool:
        if node.op in ("Constant", "ConstantOfShape"):
            value = node.attributes.get("value")
            is_told = isinstance(value, TensorHeader)
            return value.elem_type in FLOATS if isinstance(value, TensorHeader) else not is_told
        if node.op == "Cast":
            return node.attributes.get("to") in FLOATS
        return node.op not in ELSE and not self.floats.isdisjoint(inputs)

    def _is_maker(self, node: Node) -> bool:
        place = SHAPE_OF.get(node.op, len(node.inputs))
        is_open = place < len(node.inputs) and node.inputs[place] in self.lengths
        return is_open and not node.domain and _first(node) in self.floats


def _chosen(graph: Graph) -> frozenset[str]:
    """The values from which something is computed with weights, or that stand beside data."""
    tensors = [tensor for tensor in graph.initializers if tensor.elem_type in FLOATS]
    names = {tensor.name for tensor in tensors}
    matrices = {tensor.name for tensor in tensors if len(tensor.dims) == 2 and max(tensor.dims) > 1}
    several = {tensor.name for tensor in tensors if max(tensor.dims, default=1) > 1}
    fixed = _Fixed(set(names), {tensor.name for tensor in graph.initializers}, matrices, several)
    chosen: set[str] = set()
    for node in graph.nodes:
        fixed.add(node)
        chosen |= fixed.made(_computed_with(node, fixed, names))
    return frozenset(chosen)


def _computed_with(node: Node, fixed: _Fixed, weights: set[str]) -> Iterator[str]:
    """The values that a node makes a product of with a matrix, normalises, or puts beside data."""
    if node.domain:
        return
    is_product = node.op in PRODUCTS and not fixed.matrices.isdisjoint(node.inputs[1:2])
    if is_product or (node.op in NORMS and not weights.isdisjoint(node.inputs[1:])):
        yield node.inputs[0]
    is_beside = node.op == "Concat" and not fixed.names.issuperset(node.inputs)
    if is_beside:
        first = int(node.attributes.get("axis", 1)) == 0
        made = (value for value in node.inputs if fixed.made([value]))
        yield from (value for value in made if first or value not in fixed.tokens)


def per_item(site: Site, node: Node, index: int) -> Draft:
    """The value as a layer without weights but the constant itself, of the batch of an input."""
    slot, told = _constant(site, node)
    shape = _shape(site, node)
    source = str(node.attributes[PER_ITEM])
    attributes = {} if shape is None else {"whole_shape": tuple(-1 if n is None else n for n in shape)}
    return Draft(
        op="Opaque",
        class_name=CLASS,
        nodes=(index,),
        inputs=(source,),
        outputs=(node.outputs[0],),
        shown=node.outputs[0],
        attributes=attributes,
        slots=() if slot is None else (slot,),
        details={} if told is None else {"value": told},
    )


def _constant(site: Site, node: Node) -> tuple[Slot | None, object]:
    """A tensor of the file, or numbers; neither where it is not known what is repeated."""
    if node.op == "ConstantOfShape":
        told = node.attributes.get("value")
        return None, numbers_of(site.read(told).reshape(-1)[0]) if isinstance(told, TensorHeader) else 0.0
    tensor = _weight(site, node.inputs[0])
    if tensor is not None and tensor.size > 1 and _is_in_order(tensor):
        return Slot("value", tensor), None
    numbers = site.net.numbers.get(node.inputs[0])
    return None, None if numbers is None else numbers_of(numbers)


def _weight(site: Site, value: str) -> Constant | None:
    """A tensor, through nodes that spread it to the shape that it has."""
    shape = site.shapes.get(value)
    for _ in range(DEEPEST):
        tensor, made = site.weight(value), site.net.source(value)
        if tensor is not None or made is None or made.op not in SPREADING or made.domain:
            break
        value = made.inputs[0]
    known = [n for n in shape or (None,) if n is not None]
    is_whole = shape is not None and len(known) == len(shape)
    return tensor if is_whole and tensor is not None and prod(known) == tensor.size else None


def _is_in_order(tensor: Constant) -> bool:
    return all(view.op != "Transpose" for view in tensor.views)


def _shape(site: Site, node: Node) -> Sequence[int | None] | None:
    """With None, or -n for n times it, for the length of the batch."""
    facts = Facts(site.net, site.shapes)
    told = vector_elements(node.inputs[SHAPE_OF[node.op]], facts)
    own = site.shapes.get(node.inputs[0])
    if node.op == "ConstantOfShape" or told is None:
        return told
    if own is None or None in own:
        return None
    rank = max(len(own), len(told))
    pairs = zip((1,) * (rank - len(own)) + tuple(own), (1,) * (rank - len(told)) + tuple(told), strict=True)
    return tuple(_length(node.op, one, other) for one, other in pairs)


def _length(op: str, own: int | None, told: int | None) -> int | None:
    """Of an axis that is repeated or spread."""
    if told is None or told < 0:
        return told if own == 1 else 0
    return (own or 0) * told if op == "Tile" else max(own or 0, told)
