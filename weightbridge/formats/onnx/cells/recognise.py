"""Which recurrent cell a group of steps computes.

Its values for random products and states are held against those of LSTM, GRU and simple RNN.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.cells.steps import Product, Steps
from weightbridge.formats.onnx.drafts import Site
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.arithmetic import run
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.formats.onnx.values.slices import slice_arguments, split_sizes
from weightbridge.model.activations import FUNCTIONS, OLD_HARD_SIGMOID, Activation, Function, function_of
from weightbridge.model.tensors import Array

INNER: tuple[Activation, ...] = ("sigmoid", "hard_sigmoid", OLD_HARD_SIGMOID)
OUTER = ("tanh", "relu", "sigmoid", "linear", "softsign")
ROWS = 3
CLOSE = 1e-4


@dataclass(frozen=True, slots=True)
class CellFunction:
    """A cell that steps compute.

    outputs: the values that hold its new hidden state and, of an LSTM, its new cell state.
    recurrent: the product with the state, where the values tell it.
    """

    op: str
    units: int
    attributes: Mapping[str, Any]
    outputs: tuple[str, ...]
    biases: tuple[tuple[str, Constant], ...] = ()
    recurrent: Product | None = None


def cell_function(site: Site, steps: Steps) -> CellFunction | None:
    """The cell that the steps are, with Keras's order of gates; None for any other function."""
    known = _inputs(steps)
    for index in steps.nodes:
        values = _step(site, site.net.nodes[index], known)
        if values is None:
            return None
        known |= values
    output = site.net.nodes[steps.nodes[-1]].outputs[0]
    width, units = steps.products[0].width, known[output].shape[-1]
    are_along_gates = all(constant.shape == (width,) for constant in steps.vectors.values())
    if known[output].shape != (ROWS, units) or not are_along_gates:
        return None
    gates = width // units if units and width % units == 0 else 0
    cell = CELLS.get(gates)
    return cell(steps, known, output) if cell else None


def _inputs(steps: Steps) -> dict[str, Array]:
    """The numbers that the steps read, and random values for everything else."""
    rng = np.random.default_rng(0)
    width = steps.products[0].width
    units = next(p.constant.shape[0] for p in steps.products if p.is_recurrent and p.constant.shape)
    known = {value: np.asarray(number) for value, number in steps.scalars.items()}
    for value, constant in steps.vectors.items():
        if constant.shape == (width,):
            known[value] = rng.normal(size=width)
    for value in steps.states:
        known[value] = rng.normal(size=(ROWS, units))
    products = {p.value: rng.normal(size=(ROWS, width)) + known.get(p.bias, 0.0) for p in steps.products}
    return known | products


def _step(site: Site, node: Node, known: Mapping[str, Array]) -> dict[str, Array] | None:
    """What one node makes of the values known so far; None where they do not fit."""
    try:
        if node.op == "Split":
            return _split(site, node, known[node.inputs[0]])
        if node.op == "Slice":
            return {node.outputs[0]: known[node.inputs[0]][_slices(site, node)]}
    except (KeyError, IndexError, ValueError, TypeError):
        return None
    value = run([node], known, {})
    return None if value is None else {node.outputs[0]: value}


def _split(site: Site, node: Node, array: Array) -> dict[str, Array] | None:
    """The parts along the last of two axes; None along the other."""
    count, width = len(node.outputs), len(array[0])
    sizes = split_sizes(node, site.net.integers) or (width // count,) * count
    if sum(sizes) != width:
        raise ValueError(f"{sizes} of {width}")
    if int(node.attributes.get("axis", 0)) not in (1, -1):
        return None
    places = [int(place) for place in np.cumsum(sizes)[:-1]]
    parts = np.array_split(array, places, axis=-1)
    return dict(zip(node.outputs, parts, strict=True))


def _slices(site: Site, node: Node) -> tuple[slice, ...]:
    """A Slice's cuts along two axes."""
    starts, ends, axes, steps = slice_arguments(node, site.net.integers)
    if starts is None or ends is None:
        raise ValueError("cut at places that data decides")
    cuts = [slice(None), slice(None)]
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = axes[n] if axes else n
        cuts[axis] = slice(start, end, steps[n] if steps else None)
    return tuple(cuts)


def _lstm(steps: Steps, known: Mapping[str, Array], output: str) -> CellFunction | None:
    if len(steps.states) != 1 or len(steps.vectors) > 1:
        return None
    state = known[steps.states[0]]
    i, f, c, o = np.split(_sum(steps, known), 4, axis=-1)
    for names, inner, outer in activations():
        cell = inner(f) * state + inner(i) * outer(c)
        value = next((value for value, array in known.items() if _is_same(array, cell)), None)
        hidden = inner(o) * outer(cell)
        if value is not None and _is_same(known[output], hidden):
            return CellFunction("LSTM", i.shape[-1], names, (output, value), _biases(steps))
    return None


def _biases(steps: Steps) -> tuple[tuple[str, Constant], ...]:
    return tuple(("bias", constant) for constant in steps.vectors.values())


def _gru(steps: Steps, known: Mapping[str, Array], output: str) -> CellFunction | None:
    """The variant that applies the reset gate after the product: the other one has three products."""
    if len(steps.states) != 1:
        return None
    state = known[steps.states[0]]
    for kernel, recurrent, biases in _gru_products(steps):
        x = np.split(_with_bias(kernel, biases["bias"], known), 3, axis=-1)
        h = np.split(_with_bias(recurrent, biases["recurrent_bias"], known), 3, axis=-1)
        names = _gru_activations(x, h, state, known[output])
        if names is not None:
            attributes = {**names, "reset_after": True}
            slots = tuple((role, steps.vectors[value]) for role, value in biases.items() if value)
            return CellFunction("GRU", state.shape[-1], attributes, (output,), slots, recurrent)
    return None


def _gru_products(steps: Steps) -> Iterator[tuple[Product, Product, dict[str, str]]]:
    """The ways in which the products may be the kernel and the one of the state, with their biases."""
    for kernel, recurrent in permutations(steps.products):
        if recurrent.left == steps.states[0]:
            for bias, recurrent_bias in _shares(steps.vectors):
                yield kernel, recurrent, {"bias": bias, "recurrent_bias": recurrent_bias}


def _gru_activations(
    x: Sequence[Array], h: Sequence[Array], state: Array, hidden: Array
) -> dict[str, Any] | None:
    """The activations that give this hidden state. x, h: the parts of both products, by gate."""
    for names, inner, outer in activations():
        update, reset = inner(x[0] + h[0]), inner(x[1] + h[1])
        candidate = outer(x[2] + reset * h[2])
        if _is_same(hidden, update * state + (1 - update) * candidate):
            return names
    return None


def _rnn(steps: Steps, known: Mapping[str, Array], output: str) -> CellFunction | None:
    if steps.states or len(steps.vectors) > 1:
        return None
    total = _sum(steps, known)
    for name in OUTER:
        if name != "linear" and _is_same(known[output], FUNCTIONS[name](total)):
            return CellFunction("RNN", total.shape[-1], {"activation": name}, (output,), _biases(steps))
    return None


def _with_bias(product: Product, bias: str, known: Mapping[str, Array]) -> Array:
    """A product with its bias, which a Gemm has in it already."""
    has_bias = not bias or bias == product.bias
    return known[product.value] + (0.0 if has_bias else known[bias])


def _sum(steps: Steps, known: Mapping[str, Array]) -> Array:
    """What the gates are cut from: both products and the bias, which a Gemm has in its product already."""
    contained = {product.bias for product in steps.products}
    products = sum(known[product.value] for product in steps.products)
    biases = sum(known[value] for value in steps.vectors if value not in contained)
    return np.asarray(products + biases)


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


def activations(outers: Sequence[str] = OUTER) -> Iterator[tuple[dict[str, Any], Function, Function]]:
    """The names of a pair that a cell may have, and their functions: of its gates, and of its candidate."""
    for inner in INNER:
        for outer in outers:
            names = {"recurrent_activation": inner, "activation": outer}
            yield names, _function(inner), FUNCTIONS[outer]


def _function(activation: Activation) -> Function:
    function = function_of(activation)
    assert function is not None
    return function


def _is_same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=CLOSE, atol=CLOSE))


CELLS: Mapping[int, Callable[[Steps, Mapping[str, Array], str], CellFunction | None]] = {  # by their gates
    4: _lstm,
    3: _gru,
    1: _rnn,
}
