"""Recurrent layers that an exporter wrote as a Loop, in Keras's own layout.

The body has one product with the state and one with the step's input.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, draft, is_float
from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.values.net import Constant

OPS = {1: "RNN", 3: "GRU", 4: "LSTM"}  # by the number of gates
GATES = {"RNN": "h", "GRU": "z r h", "LSTM": "i f c o"}
ACTIVATIONS = {
    "Tanh": "tanh",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Softsign": "softsign",
    "Elu": "elu",
    "Selu": "selu",
}
CUTS = ("Slice", "Split")
COPIES = ("Identity", "Cast")
MOST = 64  # values of the body that are looked at


@dataclass(frozen=True, slots=True)
class Product:
    """A product in the loop's body with a weight of the outer graph, or with a slice of it."""

    constant: Constant
    is_state: bool
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Kernels:
    """The weights of a loop's body. is_whole: whether the state is multiplied with all gates at once."""

    kernel: Constant
    recurrent: Constant
    is_whole: bool

    @property
    def shape(self) -> tuple[int, int]:
        """(units, gates x units)"""
        units, width = self.recurrent.shape or (0, 0)
        return units, width


def loop(site: Site, node: Node, index: int) -> Draft | None:
    """LSTM, GRU or RNN where the body says so; anything else stays opaque."""
    body = node.attributes.get("body")
    if not isinstance(body, Graph):
        return None
    weights = _weights(site, node, index, body)
    kernels = _kernels(list(_products(body, weights)))
    op = None if kernels is None else _op(kernels)
    if kernels is None or op is None:
        return None
    bias = _bias(kernels, weights)
    attributes = {
        "units": kernels.shape[0],
        "use_bias": bias is not None,
        "gates": GATES[op],
        "weights": "keras",
        **_activations(op, body),
        "go_backwards": _is_reversed(site, node, index),
    }
    if op == "GRU":
        attributes["reset_after"] = kernels.is_whole
    slots = (
        Slot("kernel", kernels.kernel, "i g"),
        Slot("recurrent_kernel", kernels.recurrent, "u g"),
        Slot("bias", bias) if bias else None,
    )
    layer = draft(site, node, index, op, attributes, *slots)
    carried = max(len(node.inputs) - 2, 0)
    collected = tuple(port for port in layer.ports if port >= carried)
    details = {**layer.details, "sequence_ports": collected}
    return replace(layer, shown=_last_read(site, node) or layer.shown, details=details)


def _weights(site: Site, node: Node, index: int, body: Graph) -> dict[str, Constant]:
    """Constants of the outer graph by the names that the body knows them by."""
    outer_values = dict(zip((info.name for info in body.inputs), node.inputs, strict=False))
    outer_values |= {value: value for value in site.net.captured.get(index, ())}
    weights: dict[str, Constant] = {}
    for name, value in outer_values.items():
        constant = site.constant(value)
        if constant is not None and is_float(constant) and constant.header.dims:
            weights[name] = constant
    return weights


def _products(body: Graph, weights: Mapping[str, Constant]) -> Iterator[Product]:
    """The products of the body with matrices of the outer graph."""
    states = {info.name for info in body.inputs[2:]} - weights.keys()
    maker = {value: node for node in body.nodes for value in node.outputs}
    for node in body.nodes:
        if node.op not in ("MatMul", "Gemm") or len(node.inputs) < 2:
            continue
        origin, is_whole = _origin(node.inputs[1], maker)
        weight = weights.get(origin)
        if weight is not None and len(weight.shape or ()) == 2:
            yield Product(weight, _reads_state(node.inputs[0], maker, states), is_whole)


def _origin(value: str, maker: Mapping[str, Node]) -> tuple[str, bool]:
    """The value that this one is or is cut from, and whether it is all of it."""
    is_whole = True
    while value in maker and maker[value].op in (*CUTS, *COPIES):
        is_whole = is_whole and maker[value].op in COPIES
        value = maker[value].inputs[0]
    return value, is_whole


def _reads_state(value: str, maker: Mapping[str, Node], states: set[str]) -> bool:
    """Whether the left factor is the state, or the state times a gate.

    The step's input is gathered from a sequence.
    """
    seen: set[str] = set()
    waiting = [value]
    while waiting and len(seen) < MOST:
        value = waiting.pop()
        if value in states:
            return True
        node = maker.get(value)
        if node is not None and node.op != "Gather" and value not in seen:
            waiting += node.inputs
        seen.add(value)
    return False


def _kernels(products: Sequence[Product]) -> _Kernels | None:
    """One matrix for the state and one for the input; None for any other number of them."""
    with_state = [product for product in products if product.is_state]
    with_input = [product for product in products if not product.is_state]
    matrices = [{id(product.constant) for product in part} for part in (with_state, with_input)]
    if any(len(part) != 1 for part in matrices):
        return None
    return _Kernels(with_input[0].constant, with_state[0].constant, with_state[0].is_whole)


def _op(kernels: _Kernels) -> str | None:
    """The layer by its number of gates; None where the matrices do not fit."""
    units, width = kernels.shape
    kernel_shape = kernels.kernel.shape or (0, 0)
    if not units or width % units or kernel_shape[1] != width:
        return None
    return OPS.get(width // units)


def _bias(kernels: _Kernels, weights: Mapping[str, Constant]) -> Constant | None:
    """The first other weight that is as long as the gates."""
    width = kernels.shape[1]
    for constant in weights.values():
        is_kernel = constant is kernels.recurrent or constant is kernels.kernel
        if not is_kernel and (constant.shape or (0,))[-1] == width:
            return constant
    return None


def _activations(op: str, body: Graph) -> dict[str, Any]:
    used = [ACTIVATIONS[node.op] for node in body.nodes if node.op in ACTIVATIONS]
    if op == "RNN":
        return {"activation": used[0]} if len(set(used)) == 1 else {}
    outer = [name for name in used if name != "sigmoid"]
    names = {"recurrent_activation": "sigmoid"} if "sigmoid" in used else {}
    if len(set(outer)) == 1:
        names["activation"] = outer[0]
    return names


def _is_reversed(site: Site, node: Node, index: int) -> bool:
    makers = (site.net.source(value) for value in site.data(node, index))
    return any(maker is not None and maker.op == "ReverseSequence" for maker in makers)


def _last_read(site: Site, node: Node) -> str | None:
    """The last output of the graph, or else the last value that a node reads."""
    outputs = [value for value in node.outputs if site.net.is_output(value)]
    read = [value for value in node.outputs if value and site.net.consumers.get(value)]
    return next(reversed([*read, *outputs]), None)


BUILDERS: dict[str, Builder] = {"Loop": loop}
