"""Elementwise nodes of ONNX: activations, merges of two data values, scales and shifts by a constant."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.drafts import Builder, Draft, Site, Slot, decimal, draft
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.rule import Shape
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.model.activations import Activation, named_hard_sigmoid

ACTIVATIONS: Mapping[str, str] = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax", "LogSoftmax": "log_softmax", "Selu": "selu",
    "Softplus": "softplus", "Softsign": "softsign", "Mish": "mish", "Swish": "swish", "HardSwish": "hard_swish", "Exp": "exponential",
}  # fmt: skip
WITH_PARAMETERS: Mapping[
    str, tuple[str, str, str, float]
] = {  # op: (name, attribute, parameter, ONNX's default)
    "LeakyRelu": ("leaky_relu", "alpha", "slope", 0.01),
    "Elu": ("elu", "alpha", "alpha", 1.0),
    "Celu": ("celu", "alpha", "alpha", 1.0),
    "ThresholdedRelu": ("thresholded_relu", "alpha", "theta", 1.0),
}
MERGES: Mapping[str, str] = {
    "Add": "Add", "Sum": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum", "Mean": "Average",
}  # fmt: skip


def activation(site: Site, node: Node, index: int) -> Draft | None:
    return draft(site, node, index, "Activation", {"activation": _activation(site, node)})


def prelu(site: Site, node: Node, index: int) -> Draft | None:
    alpha = site.weight(node.inputs[1])
    return draft(
        site, node, index, "Activation", {"activation": "prelu"}, Slot("alpha", alpha) if alpha else None
    )


def clip(site: Site, node: Node, index: int) -> Draft | None:
    low, high = (_bound(site, node, i, name) for i, name in ((1, "min"), (2, "max")))
    if low == 0 and high == 6:
        return draft(site, node, index, "Activation", {"activation": "relu6"})
    if low == 0:
        parameters = {"max_value": high} if high is not None else {}
        return draft(
            site, node, index, "Activation", {"activation": ("relu", parameters) if parameters else "relu"}
        )
    return draft(site, node, index, "Activation", {"activation": ("clip", {"min": low, "max": high})})


def arithmetic(site: Site, node: Node, index: int) -> Draft | None:
    """A merge of data values, or a Rescaling, Scale or Shift by a constant."""
    data = site.data(node, index)
    if len(data) > 1:
        return draft(site, node, index, MERGES[node.op], {}) if node.op in MERGES else None
    if node.op not in ("Add", "Sub", "Mul", "Div") or not data:
        return None
    place = next((i for i, value in enumerate(node.inputs) if value != data[0]), None)
    is_inverse = node.op in ("Sub", "Div")
    if place is None or (place == 0 and is_inverse):
        return None
    constant, number = site.constant(node.inputs[place]), site.net.scalar(node.inputs[place])
    shape = constant.shape if constant is not None else None
    is_channel = bool(shape) and _is_channel(site, node, data[0], shape or ())
    if number is not None and not is_channel:
        return draft(site, node, index, "Rescaling", _rescaling(node.op, number))
    if constant is None or shape is None:
        return None
    return _per_channel(site, node, index, constant, shape)


def _per_channel(
    site: Site, node: Node, index: int, constant: Constant, shape: tuple[int, ...]
) -> Draft | None:
    """A Scale or Shift, where the constant has one long axis at most."""
    long = [i - len(shape) for i, n in enumerate(shape) if n > 1]
    if len(long) > 1:
        return None
    op, role = ("Shift", "shift") if node.op in ("Add", "Sub") else ("Scale", "scale")
    attributes = {
        "axis": long[0] if long else _channel_axis(shape),
        "is_inverse": node.op in ("Sub", "Div"),
    }
    return draft(site, node, index, op, attributes, Slot(role, constant))


def _is_channel(site: Site, node: Node, data: str, constant: tuple[int, ...]) -> bool:
    known = site.shapes.get(data)
    return _is_one_channel(known, constant) or (known is None and _is_affine(site, node, data))


def _is_affine(site: Site, node: Node, data: str) -> bool:
    """A product and then a sum, each with a tensor of one number: a BatchNorm of one channel, where the
    data's shape is not known.
    """
    before, after = site.net.source(data), site.net.only_reader(node.outputs[0])
    first, second = (
        (node, site.net.nodes[after]) if node.op == "Mul" and after is not None else (before, node)
    )
    steps = [
        s
        for s in (first, second)
        if s is not None and any((c := site.constant(v)) is not None and c.shape == (1,) for v in s.inputs)
    ]
    return [s.op for s in steps] == ["Mul", "Add"]


def _is_one_channel(data: Shape | None, constant: tuple[int, ...]) -> bool:
    """Whether a single number stands for a channel axis of length one, and does not scale everything."""
    if data is None:
        return len(constant) > 2
    return len(data) > 1 and 1 in (
        data[-1],
        data[_channel_axis(constant)] if len(constant) <= len(data) else None,
    )


def _channel_axis(shape: tuple[int, ...]) -> int:
    """Of one channel no axis can be told; exporters pad a channel axis with ones up to the rank."""
    return -1 if len(shape) < 3 else 1 - len(shape)


def _rescaling(op: str, number: float) -> dict[str, Any]:
    scale = {"Mul": number, "Div": 1 / number if number else float("inf")}.get(op, 1.0)
    return {"scale": decimal(scale), "offset": decimal({"Add": number, "Sub": -number}.get(op, 0.0))}


def _bound(site: Site, node: Node, i: int, name: str) -> float | None:
    value = (
        node.attributes.get(name)
        if name in node.attributes
        else site.net.scalar(node.inputs[i])
        if len(node.inputs) > i
        else None
    )
    return None if value is None or abs(value) > 3e38 else decimal(value)


def _activation(site: Site, node: Node) -> Activation:
    if node.op in WITH_PARAMETERS:
        name, attribute, parameter, default = WITH_PARAMETERS[node.op]
        value = decimal(node.attributes.get(attribute, default))
        return name if (name, value) == ("elu", 1.0) else (name, {parameter: value})
    if node.op == "HardSigmoid":
        alpha, beta = (decimal(node.attributes.get(k, d)) for k, d in (("alpha", 0.2), ("beta", 0.5)))
        return named_hard_sigmoid(alpha, beta)
    if node.op == "Gelu":
        return "gelu_tanh" if node.attributes.get("approximate", "none") == "tanh" else "gelu"
    name = ACTIVATIONS[node.op]
    axis, rank = int(node.attributes.get("axis", -1 if site.opset >= 13 else 1)), site.rank(node.inputs[0])
    return (name, {"axis": axis}) if "softmax" in name and axis not in (-1, (rank or 0) - 1) else name


BUILDERS: dict[str, Builder] = {
    **dict.fromkeys((*ACTIVATIONS, *WITH_PARAMETERS, "HardSigmoid", "Gelu"), activation),
    **dict.fromkeys((*MERGES, "Div"), arithmetic),
    "PRelu": prelu,
    "Clip": clip,
}
