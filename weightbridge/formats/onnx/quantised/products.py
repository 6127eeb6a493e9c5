"""A product of integers and the steps behind it that make floats of it.

DynamicQuantizeLinear -> MatMulInteger or ConvInteger -> Cast -> Mul by both scales
"""

from collections.abc import Sequence

from weightbridge.boundary.records import dataclass
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.quantised.values import FLOATS, Values, argument

MOST = 3  # products with scales, one after another
DYNAMIC, STATIC = "DynamicQuantizeLinear", "QuantizeLinear"


@dataclass(frozen=True, slots=True)
class Quantised:
    """The floats that were quantised, and the values of their scale and zero point ("" for none)."""

    floats: str
    scale: str
    zero: str


@dataclass(frozen=True, slots=True)
class Scaled:
    """Where the floats come out, the scale of the weights, and the nodes between."""

    output: str
    scale: str
    nodes: tuple[int, ...]


def quantised(values: Values, value: str) -> Quantised | None:
    """What was quantised to this value; None where that is not known."""
    source = values.source(value)
    if source is None or not source.inputs:
        return None
    if source.op == DYNAMIC and len(source.outputs) == 3:
        return Quantised(source.inputs[0], source.outputs[1], source.outputs[2])
    if source.op == STATIC and len(source.inputs) > 1:
        return Quantised(source.inputs[0], source.inputs[1], argument(source, 2))
    return None


def scaled(values: Values, product: Node, data_scale: str) -> Scaled | None:
    """The chain behind a product of integers; None where its weights' scale is not among the factors."""
    cast_at = values.only_reader(product.outputs[0])
    if cast_at is None or not _is_cast_to_floats(values.nodes[cast_at]):
        return None
    value, nodes, factors = values.nodes[cast_at].outputs[0], [cast_at], list[str]()
    for _ in range(MOST):
        at = values.only_reader(value)
        if at is None or not _is_product(values.nodes[at]):
            return None
        inner = _factor(values, values.nodes[at], value)
        factors += inner.factors
        nodes += (*inner.nodes, at)
        value = values.nodes[at].outputs[0]
        scale = _other(values, factors, data_scale)
        if scale is not None:
            return Scaled(value, scale, tuple(nodes))
    return None


def _is_cast_to_floats(node: Node) -> bool:
    return node.op == "Cast" and node.attributes.get("to") in FLOATS and bool(node.outputs)


def _is_product(node: Node) -> bool:
    return node.op == "Mul" and len(node.inputs) == 2 and bool(node.outputs)


@dataclass(frozen=True, slots=True)
class _Factor:
    factors: tuple[str, ...]
    nodes: tuple[int, ...] = ()


def _factor(values: Values, product: Node, value: str) -> _Factor:
    """What a value is multiplied by: one value, or the two that a product of its own joins."""
    first, second = product.inputs
    factor = second if first == value else first
    source = values.source(factor)
    if source is not None and source.op == "Mul" and values.only_reader(factor) is not None:
        return _Factor(source.inputs, (values.maker[factor],))
    return _Factor((factor,))


def _other(values: Values, factors: Sequence[str], data_scale: str) -> str | None:
    """The weights' scale where the factors are the two scales and nothing else."""
    if len(factors) != 2 or data_scale not in factors:
        return None
    scale = factors[1] if factors[0] == data_scale else factors[0]
    return scale if values.is_scale(scale) else None


def axis_of_scale(values: Values, codes: str, scale: str, op: str, at: int) -> int | None:
    """The axis of the codes that a scale, which multiplies the product, has values for."""
    rank = len(values.tensors[codes].dims)
    along = values.long_axis(scale)
    if along == 0:
        return 0
    if op == "Conv":
        return 0 if along == 1 - rank else None
    if at == 1:
        return rank - 1 if along == -1 else None
    return rank - 2 if along == -2 else None
