"""Which recurrent cell a loop's body computes: its values for random products against Keras's cells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from itertools import product as pairs_of
from typing import Any

import numpy as np

from weightbridge.formats.onnx.cells.loops import GATES, OPS
from weightbridge.formats.onnx.cells.recognise import CLOSE, OUTER, activations
from weightbridge.formats.onnx.cells.told import CellTold
from weightbridge.formats.tensorflow.loops.body import Body, step_read
from weightbridge.formats.tensorflow.loops.trial import Part, Product, Trial, UnknownStep
from weightbridge.model.activations import FUNCTIONS
from weightbridge.model.tensors import Array

OUTERS = (*OUTER, "elu", "selu", "swish", "gelu", "hard_sigmoid")


@dataclass(frozen=True, slots=True)
class Cell:
    """kernel, recurrent: columns of weights, in the order of `told.gates`. biases: values in the body.

    hidden, cell: the numbers of the arguments that carry the states.
    """

    op: str
    told: CellTold
    kernel: tuple[Part, ...]
    recurrent: tuple[Part, ...]
    biases: tuple[str, ...]
    sequence: str
    hidden: int
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class _Sums:
    """What comes from the input and from the state; direct: the columns of the state itself."""

    x: Array
    h: Array
    direct: int


def cell_of(trial: Trial, hidden: int) -> Cell | None:
    """The cell that keeps its state in this argument; None where it is none of Keras's."""
    try:
        return _cell(trial, hidden)
    except UnknownStep:
        return None


def _cell(trial: Trial, hidden: int) -> Cell | None:
    body = trial.body
    made = trial.value(body.results[hidden])
    groups = _groups(trial, body.arguments[hidden])
    op = _op(groups, trial.units)
    others = [name for name in trial.states if name != body.arguments[hidden]]
    if op is None or len(others) > (op == "LSTM"):
        return None
    sequences = {step_read(body, product.left) for product in groups[0]}
    cell = body.arguments.index(others[0]) if others else None
    found = _function(op, trial, (hidden, cell), made, groups)
    if found is None or len(sequences) != 1:
        return None
    told, biases = found
    parts = tuple(p.part for p in groups[0]), tuple(p.part for p in (*groups[1], *groups[2]))
    return Cell(op, told, *parts, biases, sequences.pop(), hidden, cell)


def _groups(trial: Trial, state: str) -> tuple[list[Product], list[Product], list[Product]]:
    """The products of the step's input, of the state, and of something made of it."""
    groups: tuple[list[Product], list[Product], list[Product]] = ([], [], [])
    for product in _in_order(trial.products.values()):
        if step_read(trial.body, product.left):
            groups[0].append(product)
        else:
            groups[1 if trial.body.plain(product.left) == state else 2].append(product)
    return groups


def _in_order(products: Any) -> list[Product]:
    """Those of one weight by their columns."""
    leaves = list(dict.fromkeys(product.part.leaf for product in products))
    return sorted(products, key=lambda p: (leaves.index(p.part.leaf), p.part.first))


def _op(groups: Sequence[Sequence[Product]], units: int) -> str | None:
    widths = [sum(product.part.count for product in group) for group in groups]
    state = widths[1] + widths[2]
    if not units or widths[0] != state or state % units or len(groups[2]) > 1:
        return None
    depths = {product.part.depth for product in groups[1]}
    return OPS.get(state // units) if depths == {units} else None


def _function(
    op: str, trial: Trial, places: tuple[int, int | None], made: Array, groups: Any
) -> tuple[CellTold, tuple[str, ...]] | None:
    x, h, rest = (_joined(group) for group in groups)
    whole = h if rest is None else np.concatenate([h, rest], axis=-1)
    for names, bias, recurrent_bias in _biases(trial, whole.shape[-1]):
        sums = _Sums(x + bias, whole + recurrent_bias, groups[1] and h.shape[-1])
        told = MATCHES[op](trial, places, made, sums, groups[2])
        if told is not None:
            is_after = bool(told.reset_after)
            return (told, names) if is_after or not np.any(recurrent_bias) or op != "GRU" else None
    return None


def _joined(products: Sequence[Product]) -> Any:
    return np.concatenate([p.value for p in products], axis=-1) if products else None


def _biases(trial: Trial, width: int) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Names, what is added to the input's products, what to the state's."""
    vectors = list(trial.vectors.items())
    match vectors:
        case []:
            yield (), 0.0, 0.0
        case [(name, array)] if array.shape == (2, width):
            yield (name,), array[0], array[1]
        case [(name, array)] if array.size == width:
            yield (name,), array.reshape(-1), 0.0
        case [(one, first), (other, second)] if first.size == second.size == width:
            yield (one, other), first.reshape(-1), second.reshape(-1)
            yield (other, one), second.reshape(-1), first.reshape(-1)
        case _ if sum(array.size for _, array in vectors) == width:
            whole = np.concatenate([array.reshape(-1) for _, array in vectors])
            yield tuple(name for name, _ in vectors), whole, 0.0


def _lstm(
    trial: Trial, places: tuple[int, int | None], made: Array, sums: _Sums, rest: Sequence[Product]
) -> CellTold | None:
    if places[1] is None or rest:
        return None
    body = trial.body
    state, kept = trial.states[body.arguments[places[1]]], trial.value(body.results[places[1]])
    parts = np.split(sums.x + sums.h, 4, axis=-1)
    for order, (names, inner, outer) in pairs_of(permutations(range(4)), activations(OUTERS)):
        i, f, c, o = (parts[n] for n in order)
        cell = inner(f) * state + inner(i) * outer(c)
        if _is_same(kept, cell) and _is_same(made, inner(o) * outer(cell)):
            return CellTold(_named_gates("LSTM", order), **names)
    return None


def _gru(
    trial: Trial, places: tuple[int, int | None], made: Array, sums: _Sums, rest: Sequence[Product]
) -> CellTold | None:
    state = trial.states[trial.body.arguments[places[0]]]
    x, h = (np.split(side, 3, axis=-1) for side in (sums.x, sums.h))
    is_after = not rest
    orders = permutations(range(3)) if is_after else ((0, 1, 2), (1, 0, 2))
    factor = None if is_after else trial.value(rest[0].left)
    for order, (names, inner, outer) in pairs_of(orders, activations(OUTERS)):
        z, r, n = order
        update, reset = inner(x[z] + h[z]), inner(x[r] + h[r])
        candidate = outer(x[n] + (reset * h[n] if is_after else h[n]))
        is_reset = factor is None or _is_same(factor, reset * state)
        if is_reset and _is_same(made, update * state + (1 - update) * candidate):
            return CellTold(_named_gates("GRU", order), reset_after=is_after, **names)
    return None


def _rnn(
    _: Trial, places: tuple[int, int | None], made: Array, sums: _Sums, rest: Sequence[Product]
) -> CellTold | None:
    if rest or places[1] is not None:
        return None
    names = (name for name in OUTERS if _is_same(made, FUNCTIONS[name](sums.x + sums.h)))
    found = next(names, None)
    return None if found is None else CellTold(GATES["RNN"], found)


def _named_gates(op: str, order: Sequence[int]) -> str:
    """The names of the parts as they are stored. order: where each of Keras's gates stands."""
    names = GATES[op].split()
    return " ".join(names[order.index(place)] for place in range(len(names)))


def _is_same(one: Array, other: Array) -> bool:
    return one.size == other.size and bool(
        np.allclose(one.reshape(-1), other.reshape(-1), rtol=CLOSE, atol=CLOSE)
    )


MATCHES = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def hidden_of(body: Body) -> Iterator[tuple[int, str]]:
    """The arguments that are multiplied with a weight as they are, and the node's factor."""
    for node in body.graph.nodes:
        if node.op in ("MatMul", "Gemm") and len(node.inputs) > 1:
            value = body.plain(node.inputs[0])
            if value in body.arguments and value not in body.fixed:
                yield body.arguments.index(value), node.inputs[1]
