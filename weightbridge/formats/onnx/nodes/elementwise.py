"""Elementwise nodes of ONNX: activations, merges of two data values, scales and shifts by a constant."""

from collections.abc import Mapping
from math import isclose
from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, decimal, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Shape
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.model.activations import SELU_ALPHA, SELU_SCALE, Activation, clipped, named_hard_sigmoid

ACTIVATIONS: Mapping[str, str] = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Mish": "mish",
    "Swish": "swish",
    "HardSwish": "hard_swish",
    "Exp": "exponential",
}
# op: (name, attribute, parameter, ONNX's default)
WITH_PARAMETERS: Mapping[str, tuple[str, str, str, float]] = {
    "LeakyRelu": ("leaky_relu", "alpha", "slope", 0.01),
    "Elu": ("elu", "alpha", "alpha", 1.0),
    "Celu": ("celu", "alpha", "alpha", 1.0),
    "Shrink": ("hard_shrink", "lambd", "threshold", 0.5),
    "ThresholdedRelu": ("thresholded_relu", "alpha", "theta", 1.0),
}
BY_NAME: Mapping[str, float] = {
    "elu": 1.0,
    "celu": 1.0,
    "hard_shrink": 0.5,
    "soft_shrink": 0.5,
}  # of these alone
MERGES: Mapping[str, str] = {
    "Add": "Add",
    "Sum": "Add",
    "Sub": "Subtract",
    "Mul": "Multiply",
    "Max": "Maximum",
    "Min": "Minimum",
    "Mean": "Average",
}
INVERSES = ("Sub", "Div")
SELU: Mapping[str, float] = {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}


def activation(site: Site, node: Node, index: int) -> Draft | None:
    return draft(site, node, index, "Activation", {"activation": _activation(site, node)})


def shrink(site: Site, node: Node, index: int) -> Draft | None:
    """What is left is moved towards zero by as much as what is cut, or by nothing."""
    cut, moved = node.attributes.get("lambd", 0.5), node.attributes.get("bias", 0.0)
    if moved not in (0.0, cut) or cut < 0:
        return draft(site, node, index, "Opaque", dict(node.attributes))
    told = _with_parameter(node)
    if moved:
        told = "soft_shrink" if isinstance(told, str) else ("soft_shrink", told[1])
    return draft(site, node, index, "Activation", {"activation": told})


def prelu(site: Site, node: Node, index: int) -> Draft | None:
    """slopes: the shape in which they are seen, where the file stores them in another one."""
    alpha = site.weight(node.inputs[1])
    slot = Slot("alpha", alpha) if alpha else None
    seen = {"slopes": alpha.shape} if alpha and alpha.views and alpha.shape is not None else {}
    return draft(site, node, index, "Activation", {"activation": "prelu", **seen}, slot)


def clip(site: Site, node: Node, index: int) -> Draft | None:
    low, high = _bound(site, node, 1, "min"), _bound(site, node, 2, "max")
    return draft(site, node, index, "Activation", {"activation": clipped(low, high)})


def arithmetic(site: Site, node: Node, index: int) -> Draft | None:
    """A merge of data values, or a Rescaling, Scale or Shift by a constant."""
    data = site.data(node, index)
    if len(data) > 1:
        return draft(site, node, index, MERGES[node.op], {}) if node.op in MERGES else None
    if node.op not in ("Add", "Sub", "Mul", "Div") or not data:
        return None
    place = next((i for i, value in enumerate(node.inputs) if value != data[0]), None)
    is_reversed = place == 0 and node.op in INVERSES
    return None if place is None or is_reversed else _by_constant(site, node, index, data[0], place)


def _by_constant(site: Site, node: Node, index: int, data: str, place: int) -> Draft | None:
    """A Rescaling, Scale or Shift, whose constant is the input at `place`."""
    constant, number = site.constant(node.inputs[place]), site.net.scalar(node.inputs[place])
    shape = constant.shape if constant is not None else None
    is_channel = bool(shape) and _is_channel(site, node, data, shape or ())
    if number is not None and not is_channel and not _adds_axes(site, data, shape or ()):
        return draft(site, node, index, "Rescaling", _rescaling(node.op, number))
    if constant is None or shape is None:
        return None
    return _per_channel(site, node, index, constant, shape, site.shapes.get(data))


def _adds_axes(site: Site, data: str, constant: tuple[int, ...]) -> bool:
    rank = site.rank(data)
    return rank is not None and len(constant) > rank


def _per_channel(
    site: Site, node: Node, index: int, constant: Constant, shape: tuple[int, ...], data: Shape | None
) -> Draft | None:
    """A Scale or Shift, where the constant has one long axis at most."""
    long = [i - len(shape) for i, n in enumerate(shape) if n > 1]
    if len(long) > 1:
        return None
    op, role = ("Shift", "shift") if node.op in ("Add", "Sub") else ("Scale", "scale")
    attributes = {
        "axis": long[0] if long else _axis_of_one(shape, data),
        "is_inverse": node.op in INVERSES,
    }
    return draft(site, node, index, op, attributes, Slot(role, constant))


def _is_channel(site: Site, node: Node, data: str, constant: tuple[int, ...]) -> bool:
    known = site.shapes.get(data)
    return _is_one_channel(known, constant) or (known is None and _is_affine(site, node, data))


def _is_affine(site: Site, node: Node, data: str) -> bool:
    """A product and then a sum, each with a tensor of one number: a BatchNorm of one channel.

    This is asked where the data's shape is not known.
    """
    steps: tuple[Node | None, Node | None] = (site.net.source(data), node)
    after = site.net.only_reader(node.outputs[0])
    if node.op == "Mul" and after is not None:
        steps = (node, site.net.nodes[after])
    ops = [step.op for step in steps if step is not None and _reads_one_number(site, step)]
    return ops == ["Mul", "Add"]


def _reads_one_number(site: Site, node: Node) -> bool:
    """Whether one of a node's inputs is a tensor of one number."""
    constants = [site.constant(value) for value in node.inputs]
    return any(constant is not None and constant.shape == (1,) for constant in constants)


def _is_one_channel(data: Shape | None, constant: tuple[int, ...]) -> bool:
    """Whether a single number stands for a channel axis of length one, and does not scale everything."""
    if data is None:
        return len(constant) > 2
    if len(data) < 2:
        return False
    has_axis = len(constant) <= len(data) and data[_channel_axis(constant)] == 1
    return data[-1] == 1 or has_axis


def _axis_of_one(shape: tuple[int, ...], data: Shape | None) -> int:
    """Of one channel: the usual axis, or the last one where that alone has one place."""
    usual = _channel_axis(shape)
    if data is None or len(data) < -usual or data[usual] == 1:
        return usual
    return -1 if data[-1] == 1 else usual


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Of one channel no axis can be told; exporters pad a channel axis with ones up to the rank."""
    return -1 if len(shape) < 3 else 1 - len(shape)


def _rescaling(op: str, number: float) -> dict[str, Any]:
    inverse = 1 / number if number else float("inf")
    scale = {"Mul": number, "Div": inverse}.get(op, 1.0)
    offset = {"Add": number, "Sub": -number}.get(op, 0.0)
    return {"scale": decimal(scale), "offset": decimal(offset)}


def _bound(site: Site, node: Node, i: int, name: str) -> float | None:
    value = node.attributes.get(name)
    if name not in node.attributes and len(node.inputs) > i:
        value = site.net.scalar(node.inputs[i])
    return None if value is None or abs(value) > 3e38 else decimal(value)


def _activation(site: Site, node: Node) -> Activation:
    if node.op in WITH_PARAMETERS:
        return _with_parameter(node)
    if node.op == "Selu":
        return _selu(node)
    if node.op == "HardSigmoid":
        alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
        return named_hard_sigmoid(decimal(alpha), decimal(beta))
    if node.op == "Gelu":
        return "gelu_tanh" if node.attributes.get("approximate", "none") == "tanh" else "gelu"
    name = ACTIVATIONS[node.op]
    return _softmax(site, node, name) if "softmax" in name else name


def _with_parameter(node: Node) -> Activation:
    name, attribute, parameter, default = WITH_PARAMETERS[node.op]
    value = decimal(node.attributes.get(attribute, default))
    return name if BY_NAME.get(name) == value else (name, {parameter: value})


def _selu(node: Node) -> Activation:
    """Selu by its name alone where its two numbers are those that it was published with."""
    told = {name: float(node.attributes.get(name, number)) for name, number in SELU.items()}
    is_usual = all(isclose(told[name], number, rel_tol=1e-6) for name, number in SELU.items())
    return "selu" if is_usual else ("selu", {name: decimal(number) for name, number in told.items()})


def _softmax(site: Site, node: Node, name: str) -> Activation:
    """A softmax names its axis where this is not the last one."""
    default = -1 if site.opset >= 13 else 1
    axis = int(node.attributes.get("axis", default))
    rank = site.rank(node.inputs[0]) or site.rank(node.outputs[0]) or 0  # the file tells it of its outputs
    return name if axis in (-1, rank - 1) else (name, {"axis": axis})


BUILDERS: dict[str, Builder] = {
    **dict.fromkeys((*ACTIVATIONS, *WITH_PARAMETERS, "HardSigmoid", "Gelu"), activation),
    "Shrink": shrink,
    **dict.fromkeys((*MERGES, "Div"), arithmetic),
    "PRelu": prelu,
    "Clip": clip,
}
