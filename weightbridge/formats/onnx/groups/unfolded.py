"""BatchNorm in single steps whose factor or offset the graph computes from its tensors: one layer again, with
all of them.

`(x - mean) * (gamma / sqrt(var + eps)) + beta`, `x * f + (beta - mean * f)`, or any other order: told by what
comes out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from weightbridge.formats.onnx.drafts import Draft, Site, Slot, decimal, is_float
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values import arithmetic, evaluate
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.model.tensors import Array

LINKS = frozenset({"Add", "Sub", "Mul", "Div", "Identity", "Cast", "CastLike"})
VIEWS = ("Reshape", "Unsqueeze", "Squeeze", "Transpose", "Expand")
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "Neg")
ROLES = (("gamma", "beta", "moving_mean", "moving_variance"), ("gamma", "moving_mean", "moving_variance"),
         ("beta", "moving_mean", "moving_variance"), ("moving_mean", "moving_variance"))  # fmt: skip
LENGTH = 8  # nodes between the first that reads the data and the last
DEPTH = 64  # nodes that one factor is computed by
CLOSE = 1e-5


@dataclass(frozen=True, slots=True)
class _Chain:
    """Steps on one data value (`root`), each with constants alone beside it."""

    root: str
    nodes: tuple[int, ...]
    constants: Mapping[str, Constant]
    scalars: frozenset[float]


def unfolded_drafts(site: Site, taken: Mapping[int, Draft]) -> dict[int, Draft]:
    """Drafts by each node they stand for, with those that nodes are taken by already."""
    claimed = dict(taken)
    for index in reversed(range(len(site.net.nodes))):
        if index not in claimed and site.net.nodes[index].op in ARITHMETIC:
            found = [d for chain in _chains(site, index, claimed) if (d := _draft(site, chain)) is not None]
            claimed.update(dict.fromkeys(found[-1].nodes, found[-1]) if found else {})
    return claimed


def _chains(site: Site, end: int, claimed: Mapping[int, Draft]) -> Iterator[_Chain]:
    """Growing chains that end at this node."""
    net, index = site.net, end
    nodes: tuple[int, ...] = ()
    constants: dict[str, Constant] = {}
    scalars: set[float] = set()
    while (
        len(nodes) < LENGTH
        and index not in claimed
        and net.nodes[index].op in LINKS
        and not net.nodes[index].domain
    ):
        data = [v for v in net.nodes[index].inputs if net.is_data(v)]
        if len(data) != 1:
            return
        nodes = (index, *nodes)
        if not all(_gather(site, value, constants, scalars) for value in net.nodes[index].inputs) or len(
            constants
        ) > len(ROLES[0]):
            return
        yield _Chain(data[0], nodes, dict(constants), frozenset(scalars))
        before = net.producer.get(data[0])
        if before is None or net.only_reader(data[0]) is None:
            return
        index = before


def _gather(site: Site, value: str, constants: dict[str, Constant], scalars: set[float]) -> bool:
    """Notes the vectors and the numbers that a fixed value is computed from; whether these are all, within
    DEPTH nodes.
    """
    waiting, seen = [value], set[str]()
    while waiting and len(seen) < DEPTH:
        one = waiting.pop()
        constant, number, source = site.constant(one), site.net.scalar(one), site.net.source(one)
        if one in seen or not one or site.net.is_data(one):
            continue
        seen.add(one)
        if number is not None:
            scalars.add(number)
        elif constant is not None:
            constants.update({one: constant} if is_float(constant) else {})
        elif source is not None:
            waiting += source.inputs
    return not waiting


def _draft(site: Site, chain: _Chain) -> Draft | None:
    """The layer, where the steps compute a BatchNorm of these tensors. At least one of its values is not
    among them, but computed.
    """
    nodes = [site.net.nodes[i] for i in chain.nodes]
    is_computed = any(site.net.weights.get(v) for n in nodes for v in n.inputs)
    sizes = {c.size for c in chain.constants.values()}
    if not is_computed or not 2 <= len(chain.constants) <= len(ROLES[0]) or len(sizes) != 1 or sizes == {1}:
        return None
    rng = np.random.default_rng(0)
    given = {v: rng.uniform(0.5, 2, c.shape or c.header.dims) for v, c in chain.constants.items()}
    known: dict[str, Any] = dict(given)
    beside = [_value(site, v, known) for n in nodes for v in n.inputs if not site.net.is_data(v)]
    shape = _shape(beside)
    long = [i - len(shape) for i, n in enumerate(shape) if n > 1] if shape else []
    if shape is None or len(long) != 1:  # vectors along several axes together may be larger than any memory
        return None
    x = rng.normal(size=(3, *shape))
    got = arithmetic.run(nodes, {**known, chain.root: x}, {})
    found = _roles(x, got, given, chain.scalars) if got is not None and got.shape == x.shape else None
    return _layer(site, chain, *found, long[0]) if found else None


def _shape(arrays: Sequence[Array | None]) -> tuple[int, ...] | None:
    """Of all of them together; None where one is not known or they do not fit."""
    known = [np.shape(a) for a in arrays if a is not None]
    try:
        return np.broadcast_shapes(*known) if len(known) == len(arrays) else None
    except ValueError:
        return None


def _value(site: Site, value: str, known: dict[str, Any]) -> Array | None:
    """What a fixed value is for these constants."""
    if value not in known:
        number, node = site.net.numbers.get(value), site.net.source(value)
        known[value] = (
            number if number is not None else _computed(site, node, known) if node is not None else None
        )
    found: Array | None = known[value]
    return found


def _computed(site: Site, node: Node, known: dict[str, Any]) -> Array | None:
    inputs = [_value(site, v, known) if v else None for v in node.inputs]
    if node.domain or not inputs or any(a is None for a, v in zip(inputs, node.inputs, strict=True) if v):
        return None
    try:
        if node.op in VIEWS:
            return evaluate.OPERATIONS[node.op](node.attributes, inputs)
        if node.op in ("Identity", "Cast", "CastLike"):
            return inputs[0]
        return np.asarray(arithmetic.OPERATIONS[node.op](*inputs)) if node.op in ARITHMETIC else None
    except (ValueError, IndexError, TypeError):
        return None


def _roles(
    x: Array, got: Array, given: Mapping[str, Array], scalars: frozenset[float]
) -> tuple[dict[str, str], float] | None:
    """Which tensor has which role, and the epsilon; None where no order of them gives what comes out."""
    for roles in (r for r in ROLES if len(r) == len(given)):
        for names in permutations(given):
            values = {role: np.ravel(given[name]) for role, name in zip(roles, names, strict=True)}
            for epsilon in (*sorted(e for e in scalars if 0 < e < 0.1), 0.0):
                if np.allclose(np.ravel(got), np.ravel(_normal(x, values, epsilon)), rtol=CLOSE, atol=CLOSE):
                    return dict(zip(roles, names, strict=True)), epsilon
    return None


def _normal(x: Array, values: Mapping[str, Array], epsilon: float) -> Array:
    """BatchNorm over the one long axis."""
    flat = x.reshape(len(x), -1)
    normal = (flat - values["moving_mean"]) / np.sqrt(values["moving_variance"] + epsilon)
    return np.asarray(normal * values.get("gamma", 1.0) + values.get("beta", 0.0))


def _layer(site: Site, chain: _Chain, names: Mapping[str, str], epsilon: float, axis: int) -> Draft:
    value = site.net.nodes[chain.nodes[-1]].outputs[0]
    attributes = {
        "epsilon": decimal(epsilon),
        "axis": axis,
        "scale": "gamma" in names,
        "center": "beta" in names,
    }
    slots = tuple(Slot(role, chain.constants[name], "c") for role, name in names.items())
    return Draft(
        "BatchNorm",
        _class_name(site, chain.nodes),
        chain.nodes,
        (chain.root,),
        (value,),
        value,
        attributes,
        slots,
    )


def _class_name(site: Site, nodes: Sequence[int]) -> str:
    return "+".join(dict.fromkeys(site.net.nodes[i].op for i in nodes))
