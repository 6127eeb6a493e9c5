"""Recurrent layers that an exporter wrote as a Loop: one product with the state, one with the step's input,
in Keras's own layout.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Product:
    """A product in the loop's body with a weight of the outer graph, or with a slice of it."""

    constant: Constant
    is_state: bool
    is_whole: bool


def loop(site: Site, node: Node, index: int) -> Draft | None:
    """LSTM, GRU or RNN where the body says so; anything else stays opaque."""
    body = node.attributes.get("body")
    if not isinstance(body, Graph):
        return None
    weights = _weights(site, node, index, body)
    products = list(_products(body, weights))
    states, steps = ([p for p in products if p.is_state is wanted] for wanted in (True, False))
    if (
        not states
        or not steps
        or len({id(p.constant) for p in states}) != 1
        or len({id(p.constant) for p in steps}) != 1
    ):
        return None
    recurrent, kernel = states[0].constant, steps[0].constant
    (units, width), given = recurrent.shape or (0, 0), kernel.shape or (0, 0)
    if not units or width % units or width // units not in OPS or given[1] != width:
        return None
    op = OPS[width // units]
    bias = next(
        (
            c
            for c in weights.values()
            if c is not recurrent and c is not kernel and (c.shape or (0,))[-1] == width
        ),
        None,
    )
    found = {
        "units": units,
        "use_bias": bias is not None,
        "gates": GATES[op],
        "weights": "keras",
        **_activations(op, body),
    }
    found["go_backwards"] = _is_reversed(site, node, index)
    if op == "GRU":
        found["reset_after"] = states[0].is_whole
    slots = (
        Slot("kernel", kernel, "i g"),
        Slot("recurrent_kernel", recurrent, "u g"),
        Slot("bias", bias) if bias else None,
    )
    made = draft(site, node, index, op, found, *slots)
    read = [v for v in node.outputs if v and site.net.consumers.get(v)] + [
        v for v in node.outputs if v in site.net.outputs
    ]
    return replace(made, shown=read[-1] if read else made.shown)


def _weights(site: Site, node: Node, index: int, body: Graph) -> dict[str, Constant]:
    """Constants of the outer graph by the names that the body knows them by."""
    inside = dict(zip((i.name for i in body.inputs), node.inputs, strict=False))
    inside |= {v: v for v in site.net.captured.get(index, ())}
    known = {name: site.constant(value) for name, value in inside.items()}
    return {name: c for name, c in known.items() if c is not None and is_float(c) and c.header.dims}


def _products(body: Graph, weights: Mapping[str, Constant]) -> Iterator[Product]:
    states = {i.name for i in body.inputs[2:]} - weights.keys()
    maker = {v: n for n in body.nodes for v in n.outputs}
    for node in body.nodes:
        if node.op not in ("MatMul", "Gemm") or len(node.inputs) < 2:
            continue
        value, is_whole = node.inputs[1], True
        while value in maker and maker[value].op in ("Slice", "Split", "Identity", "Cast"):
            is_whole = is_whole and maker[value].op in ("Identity", "Cast")
            value = maker[value].inputs[0]
        if value in weights and len(weights[value].shape or ()) == 2:
            yield Product(weights[value], _reads_state(node.inputs[0], maker, states), is_whole)


def _reads_state(value: str, maker: Mapping[str, Node], states: set[str]) -> bool:
    """Whether the left factor is the state, or the state times a gate; the step's input is gathered from a
    sequence.
    """
    seen: set[str] = set()
    left = [value]
    while left and len(seen) < 64:
        value = left.pop()
        if value in states:
            return True
        node = maker.get(value)
        if node is not None and node.op != "Gather" and value not in seen:
            left += node.inputs
        seen.add(value)
    return False


def _activations(op: str, body: Graph) -> dict[str, Any]:
    used = [ACTIVATIONS[n.op] for n in body.nodes if n.op in ACTIVATIONS]
    others = [name for name in used if name != "sigmoid"]
    if op == "RNN":
        return {"activation": used[0]} if len(set(used)) == 1 else {}
    found = {"recurrent_activation": "sigmoid"} if "sigmoid" in used else {}
    return found | ({"activation": others[0]} if len(set(others)) == 1 else {})


def _is_reversed(site: Site, node: Node, index: int) -> bool:
    made_by = (site.net.source(v) for v in site.data(node, index))
    return any(n is not None and n.op == "ReverseSequence" for n in made_by)


BUILDERS: dict[str, Builder] = {"Loop": loop}
