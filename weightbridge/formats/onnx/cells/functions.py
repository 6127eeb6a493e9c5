"""Which recurrent cell a group of steps computes: its values for random products and states against those of
LSTM, GRU and simple RNN.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from weightbridge.formats.onnx.cells.steps import Product, Steps
from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import run
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.model.activations import FUNCTIONS, OLD_HARD_SIGMOID, Activation, Function, function_of
from weightbridge.model.tensors import Array

INNER: tuple[Activation, ...] = ("sigmoid", "hard_sigmoid", OLD_HARD_SIGMOID)
OUTER = ("tanh", "relu", "sigmoid", "linear", "softsign")
ROWS = 3
CLOSE = 1e-4


@dataclass(frozen=True, slots=True)
class Found:
    """outputs: the values that hold its new hidden state and, of an LSTM, its new cell state. recurrent:
    where the values tell.
    """

    op: str
    units: int
    attributes: Mapping[str, Any]
    outputs: tuple[str, ...]
    biases: tuple[tuple[str, Constant], ...] = ()
    recurrent: Product | None = None


def cell_function(site: Site, steps: Steps) -> Found | None:
    """The cell that the steps are, with Keras's order of gates; None for any other function."""
    known = _inputs(steps)
    for index in steps.nodes:
        made = _step(site, site.net.nodes[index], known)
        if made is None:
            return None
        known |= made
    given = site.net.nodes[steps.nodes[-1]].outputs[0]
    width, units = steps.products[0].width, known[given].shape[-1]
    if known[given].shape != (ROWS, units) or any(v.shape != (width,) for v in steps.vectors.values()):
        return None
    tried = {4: _lstm, 3: _gru, 1: _rnn}.get(width // units if units and width % units == 0 else 0)
    return tried(steps, known, given) if tried else None


def _inputs(steps: Steps) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    width = steps.products[0].width
    units = next(p.constant.shape[0] for p in steps.products if p.is_recurrent and p.constant.shape)
    known = {v: np.asarray(number) for v, number in steps.scalars.items()}
    known |= {v: rng.normal(size=width) for v, c in steps.vectors.items() if c.shape == (width,)}
    known |= {v: rng.normal(size=(ROWS, units)) for v in steps.states}
    return known | {p.value: rng.normal(size=(ROWS, width)) + known.get(p.bias, 0.0) for p in steps.products}


def _step(site: Site, node: Node, known: Mapping[str, Array]) -> dict[str, Array] | None:
    """What one node makes of the values known so far; None where they do not fit."""
    try:
        if node.op == "Split":
            parts = np.array_split(
                known[node.inputs[0]], _cuts(site, node, len(known[node.inputs[0]][0])), axis=-1
            )
            return dict(zip(node.outputs, parts, strict=True)) if _axis(node) in (1, -1) else None
        if node.op == "Slice":
            return {node.outputs[0]: known[node.inputs[0]][_slices(site, node)]}
    except (KeyError, IndexError, ValueError, TypeError):
        return None
    value = run([node], known, {})
    return None if value is None else {node.outputs[0]: value}


def _axis(node: Node) -> int:
    return int(node.attributes.get("axis", 0))


def _cuts(site: Site, node: Node, width: int) -> Any:
    """The places where a Split cuts."""
    sizes = node.attributes.get("split") or (
        site.net.integers(node.inputs[1]) if len(node.inputs) > 1 else None
    )
    sizes = sizes or (width // len(node.outputs),) * len(node.outputs)
    if sum(sizes) != width:
        raise ValueError(f"{sizes} of {width}")
    return list(np.cumsum(sizes)[:-1])


def _slices(site: Site, node: Node) -> tuple[slice, ...]:
    """A Slice's cuts, its numbers from inputs or, before opset 10, from attributes."""
    names = ("starts", "ends", "axes", "steps")
    given = [site.net.integers(v) if v else None for v in node.inputs[1:]] or [
        node.attributes.get(n) for n in names
    ]
    starts, ends, axes, steps = (*given, None, None, None, None)[:4]
    if starts is None or ends is None:
        raise ValueError("cut at places that data decides")
    cuts = [slice(None), slice(None)]
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        cuts[axes[n] if axes else n] = slice(start, end, steps[n] if steps else None)
    return tuple(cuts)


def _lstm(steps: Steps, known: Mapping[str, Array], given: str) -> Found | None:
    if len(steps.states) != 1 or len(steps.vectors) > 1:
        return None
    i, f, c, o = np.split(_sum(steps, known), 4, axis=-1)
    for names, inner, outer in _activations():
        cell = inner(f) * known[steps.states[0]] + inner(i) * outer(c)
        value = next((v for v, a in known.items() if _is_same(a, cell)), None)
        if value is not None and _is_same(known[given], inner(o) * outer(cell)):
            return Found(
                "LSTM", i.shape[-1], names, (given, value), tuple(("bias", b) for b in steps.vectors.values())
            )
    return None


def _gru(steps: Steps, known: Mapping[str, Array], given: str) -> Found | None:
    """The variant that applies the reset gate after the product: the other one has three products."""
    if len(steps.states) != 1:
        return None
    state = known[steps.states[0]]
    for kernel, recurrent in permutations(steps.products):
        if recurrent.left != steps.states[0]:
            continue
        for biases in _shares(steps.vectors):
            x, h = (
                np.split(_of(p, b, known), 3, axis=-1)
                for p, b in zip((kernel, recurrent), biases, strict=True)
            )
            for names, inner, outer in _activations():
                z, r = inner(x[0] + h[0]), inner(x[1] + h[1])
                if _is_same(known[given], z * state + (1 - z) * outer(x[2] + r * h[2])):
                    roles = (("bias", biases[0]), ("recurrent_bias", biases[1]))
                    named = tuple((role, steps.vectors[v]) for role, v in roles if v)
                    return Found(
                        "GRU", state.shape[-1], {**names, "reset_after": True}, (given,), named, recurrent
                    )
    return None


def _rnn(steps: Steps, known: Mapping[str, Array], given: str) -> Found | None:
    if steps.states or len(steps.vectors) > 1:
        return None
    before = _sum(steps, known)
    name = next(
        (n for n in OUTER if n != "linear" and _is_same(known[given], FUNCTIONS[n](before))),
        None,
    )
    biases = tuple(("bias", b) for b in steps.vectors.values())
    return Found("RNN", before.shape[-1], {"activation": name}, (given,), biases) if name else None


def _of(product: Product, bias: str, known: Mapping[str, Array]) -> Array:
    return known[product.value] + (known[bias] if bias and bias != product.bias else 0.0)


def _sum(steps: Steps, known: Mapping[str, Array]) -> Array:
    """Before the gates: both products and the bias, which a Gemm has in its product already."""
    total = sum(known[p.value] for p in steps.products)
    return np.asarray(
        total + sum(known[v] for v in steps.vectors if v not in {p.bias for p in steps.products})
    )


def _shares(vectors: Mapping[str, Constant]) -> Sequence[tuple[str, str]]:
    """The ways in which the products may have the biases."""
    match tuple(vectors):
        case ():
            return (("", ""),)
        case (only,):
            return ((only, ""), ("", only))
        case (first, second):
            return ((first, second), (second, first))
    return ()


def _activations() -> Iterator[tuple[dict[str, Any], Function, Function]]:
    for inner in INNER:
        for outer in OUTER:
            named = {"recurrent_activation": inner, "activation": outer}
            yield named, _function(inner), FUNCTIONS[outer]


def _function(activation: Activation) -> Function:
    function = function_of(activation)
    assert function is not None
    return function


def _is_same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=CLOSE, atol=CLOSE))
