"""BatchNorm in single steps whose factor or offset the graph computes from tensors: one layer again.

`(x - mean) * (gamma / sqrt(var + eps)) + beta`, `x * f + (beta - mean * f)`, or any other order: told by the
values that come out for random tensors.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from math import prod
from typing import Any

import numpy as np

from weightbridge.formats.onnx.drafts import Draft, Site, Slot, decimal
from weightbridge.formats.onnx.groups.chains import COPIES, TENSORS, Chain, chains
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values import arithmetic, evaluate
from weightbridge.formats.onnx.values.net import Constant
from weightbridge.model.tensors import Array

VIEWS = ("Reshape", "Unsqueeze", "Squeeze", "Transpose", "Expand")
ARITHMETIC = ("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "Neg")
STATISTICS = ("moving_mean", "moving_variance")
ROLES = (("gamma", "beta", *STATISTICS), ("gamma", *STATISTICS), ("beta", *STATISTICS), STATISTICS)
CLOSE = 1e-5
LARGEST_EPSILON = 0.1


def batchnorm_drafts(site: Site, taken: Mapping[int, Draft]) -> dict[int, Draft]:
    """Drafts by each node they stand for, with those that nodes are taken by already."""
    claimed = dict(taken)
    for index in reversed(range(len(site.net.nodes))):
        if index in claimed or site.net.nodes[index].op not in ARITHMETIC:
            continue
        draft = _longest(site, index, claimed)
        if draft is not None:
            claimed.update(dict.fromkeys(draft.nodes, draft))
    return claimed


def _longest(site: Site, end: int, claimed: Mapping[int, Draft]) -> Draft | None:
    longest = None
    for chain in chains(site, end, claimed):
        longest = _draft(site, chain) or longest
    return longest


def _draft(site: Site, chain: Chain) -> Draft | None:
    """The layer, where the steps compute a BatchNorm of these tensors.

    At least one of its values is not among them, but computed.
    """
    nodes = [site.net.nodes[i] for i in chain.nodes]
    if not _has_computed(site, nodes) or not _are_vectors(tuple(chain.constants.values())):
        return None
    rng = np.random.default_rng(0)
    tensors = {
        value: rng.uniform(0.5, 2, constant.shape or constant.header.dims)
        for value, constant in chain.constants.items()
    }
    known: dict[str, Any] = dict(tensors)
    shape = _shape_beside(site, nodes, known)
    axis = _long_axis(shape)
    if shape is None or axis is None:
        return None
    x = rng.normal(size=(3, *shape))
    values = arithmetic.run(nodes, {**known, chain.root: x}, {})
    if values is None or values.shape != x.shape:
        return None
    roles = _roles(x, values, tensors, chain.scalars)
    return None if roles is None else _layer(site, chain, *roles, axis)


def _has_computed(site: Site, nodes: Sequence[Node]) -> bool:
    """Whether the graph computes one of the values that these nodes read from tensors."""
    return any(site.net.weights.get(value) for node in nodes for value in node.inputs)


def _are_vectors(constants: Sequence[Constant]) -> bool:
    """Whether these are as many as a BatchNorm has, of one size, which their views keep."""
    sizes = {constant.size for constant in constants}
    shown = {constant.size if constant.shape is None else prod(constant.shape) for constant in constants}
    return 2 <= len(constants) <= TENSORS and len(sizes) == 1 and sizes != {1} and shown == sizes


def _shape_beside(site: Site, nodes: Sequence[Node], known: dict[str, Any]) -> tuple[int, ...] | None:
    """Of all values beside the data together; None where one is not known or they do not fit."""
    beside = [value for node in nodes for value in node.inputs if not site.net.is_data(value)]
    arrays = [_value(site, value, known) for value in beside]
    shapes = [np.shape(array) for array in arrays if array is not None]
    try:
        return np.broadcast_shapes(*shapes) if len(shapes) == len(arrays) else None
    except ValueError:
        return None


def _long_axis(shape: tuple[int, ...] | None) -> int | None:
    """The one axis, from the end, that is longer than one; values along several may outgrow any memory."""
    if shape is None:
        return None
    axes = [i - len(shape) for i, n in enumerate(shape) if n > 1]
    return axes[0] if len(axes) == 1 else None


def _value(site: Site, value: str, known: dict[str, Any]) -> Array | None:
    """What a fixed value is for these constants."""
    if value not in known:
        number, node = site.net.numbers.get(value), site.net.source(value)
        if number is None and node is not None:
            number = _computed(site, node, known)
        known[value] = number
    array: Array | None = known[value]
    return array


def _computed(site: Site, node: Node, known: dict[str, Any]) -> Array | None:
    if node.domain or not node.inputs:
        return None
    inputs = [_value(site, value, known) if value else None for value in node.inputs]
    named = [array for array, value in zip(inputs, node.inputs, strict=True) if value]
    if any(array is None for array in named):
        return None
    try:
        return _operated(node, inputs)
    except (ValueError, IndexError, TypeError):
        return None


def _operated(node: Node, inputs: list[Any]) -> Array | None:
    if node.op in VIEWS:
        return evaluate.OPERATIONS[node.op](node.attributes, inputs)
    if node.op in COPIES:
        copied: Array | None = inputs[0]
        return copied
    if node.op in ARITHMETIC:
        return np.asarray(arithmetic.OPERATIONS[node.op](*inputs))
    return None


def _roles(
    x: Array, values: Array, tensors: Mapping[str, Array], scalars: frozenset[float]
) -> tuple[dict[str, str], float] | None:
    """Which tensor has which role, and the epsilon; None where no order of them gives these values."""
    epsilons = (*sorted(e for e in scalars if 0 < e < LARGEST_EPSILON), 0.0)
    for names in _namings(tuple(tensors)):
        vectors = {role: np.ravel(tensors[name]) for role, name in names.items()}
        for epsilon in epsilons:
            expected = np.ravel(_normal(x, vectors, epsilon))
            if np.allclose(np.ravel(values), expected, rtol=CLOSE, atol=CLOSE):
                return names, epsilon
    return None


def _namings(names: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The ways in which the tensors may have the roles."""
    for roles in ROLES:
        if len(roles) == len(names):
            for order in permutations(names):
                yield dict(zip(roles, order, strict=True))


def _normal(x: Array, vectors: Mapping[str, Array], epsilon: float) -> Array:
    """BatchNorm over the one long axis."""
    flat = x.reshape(len(x), -1)
    deviation = np.sqrt(vectors["moving_variance"] + epsilon)
    normal = (flat - vectors["moving_mean"]) / deviation
    return np.asarray(normal * vectors.get("gamma", 1.0) + vectors.get("beta", 0.0))


def _layer(site: Site, chain: Chain, names: Mapping[str, str], epsilon: float, axis: int) -> Draft:
    value = site.net.nodes[chain.nodes[-1]].outputs[0]
    ops = dict.fromkeys(site.net.nodes[i].op for i in chain.nodes)
    attributes = {
        "epsilon": decimal(epsilon),
        "axis": axis,
        "scale": "gamma" in names,
        "center": "beta" in names,
    }
    return Draft(
        op="BatchNorm",
        class_name="+".join(ops),
        nodes=chain.nodes,
        inputs=(chain.root,),
        outputs=(value,),
        shown=value,
        attributes=attributes,
        slots=tuple(Slot(role, chain.constants[name], "c") for role, name in names.items()),
    )
