"""The steps that a recurrent cell may be written in, found back from its last one to its kernels."""

from collections.abc import Mapping

from weightbridge.boundary.records import dataclass
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
        units, width = self.constant.shape or (0, 0)
        return units > 0 and width % units == 0 and width // units in GATES


@dataclass(frozen=True, slots=True)
class Steps:
    """The nodes of one cell.

    nodes: in order, the last gives the value out. states: values that come in from elsewhere. vectors:
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
    if not _is_plain_product(node):
        return None
    constant = site.constant(node.inputs[1])
    if constant is None or len(constant.shape or ()) != 2 or not is_float(constant):
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    return Product(index, node.outputs[0], node.inputs[0], constant, bias)


def _is_plain_product(node: Node) -> bool:
    """Whether a node is a product of two values that it neither turns nor scales."""
    if node.op not in ("MatMul", "Gemm") or node.domain or len(node.inputs) < 2 or not node.outputs:
        return False
    attributes = node.attributes
    turns = attributes.get("transA", 0) or attributes.get("transB", 0)
    scales = attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0
    return not turns and not scales


def steps_behind(site: Site, exit_index: int, taken: set[int]) -> Steps | None:
    """What a value is computed from, where that may be a cell.

    A cell has two products, at most one state and two biases. None where it is more, or something else.
    """
    walk = _Walk(site, taken)
    walk.enter(exit_index)
    while walk.left:
        walk.step()
        if walk.is_too_large():
            return None
    products = tuple(sorted(walk.products.values(), key=lambda product: product.node))
    if not _may_be_cell(products) or len(walk.vectors) > 2:
        return None
    return Steps(tuple(sorted(walk.nodes)), products, tuple(walk.states), walk.vectors, walk.scalars)


def _may_be_cell(products: tuple[Product, ...]) -> bool:
    """Whether there are two products of one width, and one may be with the state."""
    if len(products) != 2 or products[0].width != products[1].width:
        return False
    return products[0].width <= WIDEST and any(product.is_recurrent for product in products)


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

    def is_too_large(self) -> bool:
        """Whether there is more than one cell may have."""
        return len(self.nodes) > MOST or len(self.states) > 1 or len(self.products) > 2

    def step(self) -> None:
        """One value further back."""
        value = self.left.pop()
        if value in self.seen:
            return
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

    def _pass(self, value: str, index: int) -> None:
        product = product_of(self.site, index)
        if product is not None:
            self.products[value] = product
            self.left += [product.bias] if product.bias else []
        elif self._is_step(self.site.net.nodes[index]):
            self.enter(index)
        else:
            self.states[value] = None

    def _is_step(self, node: Node) -> bool:
        if node.domain:
            return False
        cuts_gates = node.op in VIEWS and _is_before_gates(self.site, node.inputs[0], SUMS)
        return node.op in ELEMENTWISE or cuts_gates


def _is_before_gates(site: Site, value: str, depth: int) -> bool:
    """Whether a value is a product or a sum with one.

    That is what is cut into gates; a state that is cut out of something is neither.
    """
    index = site.net.producer.get(value)
    if index is None:
        return False
    if product_of(site, index) is not None:
        return True
    node = site.net.nodes[index]
    if node.op != "Add" or not depth:
        return False
    return any(_is_before_gates(site, term, depth - 1) for term in node.inputs)


def _read(node: Node) -> tuple[str, ...]:
    """The values that flow into a step: of a Split or a Slice only what is cut."""
    inputs = node.inputs[:1] if node.op in VIEWS else node.inputs
    return tuple(value for value in inputs if value)
