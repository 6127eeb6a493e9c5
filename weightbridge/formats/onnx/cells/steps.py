"""The steps that a recurrent cell may be written in, found by walking back from its last one to the products
with its kernels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from weightbridge.formats.onnx.drafts import Site, is_float
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import MEANS, OPERATIONS
from weightbridge.formats.onnx.values.net import Constant

ELEMENTWISE = frozenset(OPERATIONS) - MEANS
VIEWS = frozenset({"Split", "Slice"})
SUMS = 4  # of two products, biases and what stands between
MOST = 40  # steps that one cell may be written in
WIDEST = 1 << 16  # gates times units
GATES = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class Product:
    """A product of data with a matrix (inputs, width), and what Gemm adds to it."""

    node: int
    value: str
    left: str
    constant: Constant
    bias: str = ""

    @property
    def width(self) -> int:
        return self.constant.shape[1] if self.constant.shape else 0

    @property
    def is_recurrent(self) -> bool:
        """Whether it may be a recurrent kernel: (units, gates x units)."""
        rows, width = self.constant.shape or (0, 0)
        return rows > 0 and width % rows == 0 and width // rows in GATES


@dataclass(frozen=True, slots=True)
class Steps:
    """nodes: in order, the last gives the value out. states: values that come in from elsewhere. vectors:
    constants along the gates.
    """

    nodes: tuple[int, ...]
    products: tuple[Product, ...]
    states: tuple[str, ...]
    vectors: Mapping[str, Constant]
    scalars: Mapping[str, float]


def product_of(site: Site, index: int) -> Product | None:
    """The product that a node is, with a matrix stored as (inputs, width); None for anything else."""
    node = site.net.nodes[index]
    if node.op not in ("MatMul", "Gemm") or node.domain or len(node.inputs) < 2 or not node.outputs:
        return None
    attributes = node.attributes
    if any(attributes.get(k, 0) for k in ("transA", "transB")) or any(
        attributes.get(k, 1.0) != 1.0 for k in ("alpha", "beta")
    ):
        return None
    constant = site.constant(node.inputs[1])
    if constant is None or constant.shape is None or len(constant.shape) != 2 or not is_float(constant):
        return None
    return Product(
        index, node.outputs[0], node.inputs[0], constant, node.inputs[2] if len(node.inputs) > 2 else ""
    )


def steps_behind(site: Site, exit_index: int, taken: set[int]) -> Steps | None:
    """What a value is computed from: two products, at most one state and two biases; None where it is more,
    or something else.
    """
    walk = _Walk(site, taken)
    walk.enter(exit_index)
    while walk.left:
        if not walk.step() or len(walk.nodes) > MOST or len(walk.states) > 1 or len(walk.products) > 2:
            return None
    products = tuple(sorted(walk.products.values(), key=lambda p: p.node))
    if (
        len(products) != 2
        or len({p.width for p in products}) != 1
        or not any(p.is_recurrent for p in products)
    ):
        return None
    is_small = products[0].width <= WIDEST and len(walk.vectors) <= 2
    return (
        Steps(tuple(sorted(walk.nodes)), products, tuple(walk.states), walk.vectors, walk.scalars)
        if is_small
        else None
    )


class _Walk:
    """What the walk has met so far."""

    def __init__(self, site: Site, taken: set[int]) -> None:
        self.site, self.taken = site, taken
        self.left: list[str] = []
        self.seen: set[str] = set()
        self.nodes: set[int] = set()
        self.products: dict[str, Product] = {}
        self.states: dict[str, None] = {}
        self.vectors: dict[str, Constant] = {}
        self.scalars: dict[str, float] = {}

    def enter(self, index: int) -> None:
        node = self.site.net.nodes[index]
        self.nodes.add(index)
        self.left += _read(node)

    def step(self) -> bool:
        """One value further back. False where it is nothing that a cell reads."""
        value = self.left.pop()
        if value in self.seen:
            return True
        self.seen.add(value)
        number, index = self.site.net.scalar(value), self.site.net.producer.get(value)
        constant = self.site.constant(value)
        if number is not None:
            self.scalars[value] = number
        elif constant is not None and len(constant.shape or ()) == 1 and is_float(constant):
            self.vectors[value] = constant
        elif index is None or index in self.taken:
            self.states[value] = None
        else:
            self._pass(value, index)
        return True

    def _pass(self, value: str, index: int) -> None:
        node, product = self.site.net.nodes[index], product_of(self.site, index)
        if product is not None:
            self.products[value] = product
            self.left += [product.bias] if product.bias else []
        elif not node.domain and (
            node.op in ELEMENTWISE or (node.op in VIEWS and _is_before_gates(self.site, node.inputs[0], SUMS))
        ):
            self.enter(index)
        else:
            self.states[value] = None


def _is_before_gates(site: Site, value: str, depth: int) -> bool:
    """Whether a value is a product or a sum with one: what is cut into gates, and no state that is cut out of
    something.
    """
    index = site.net.producer.get(value)
    if index is None or product_of(site, index) is not None:
        return index is not None
    node = site.net.nodes[index]
    return depth > 0 and node.op == "Add" and any(_is_before_gates(site, v, depth - 1) for v in node.inputs)


def _read(node: Node) -> tuple[str, ...]:
    """The values that flow into a step: of a Split or a Slice only what is cut."""
    return tuple(v for v in (node.inputs[:1] if node.op in VIEWS else node.inputs) if v)
