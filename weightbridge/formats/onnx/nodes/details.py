"""A node of ONNX -> its layer's details.

What rebuilding it needs beyond the attributes that are compared.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weightbridge.formats.onnx.cells.fixed_inputs import fixed_inputs
from weightbridge.formats.onnx.cells.gate_activations import backward_activations, hidden_activation
from weightbridge.formats.onnx.drafts import Draft, Site, decimal, numbers_of
from weightbridge.formats.onnx.nodes.operands import REDUCTIONS, operands
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.shapes.lengths import axes_as_long, is_first_length
from weightbridge.formats.onnx.shapes.rule import Facts
from weightbridge.formats.onnx.shapes.vectors import requested_shape, vector_elements
from weightbridge.formats.onnx.shapes.windows import pads_of
from weightbridge.formats.onnx.tensors import DTYPES

Details = dict[str, Any]
REDUCTION_DEFAULTS: Mapping[str, Any] = {"axes": None, "keepdims": True, "noop_with_empty_axes": False}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {  # op -> attribute -> ONNX's default, None where it has none
    "Slice": {"starts": None, "ends": None, "axes": None},
    "Gather": {"axis": 0},
    "GatherElements": {"axis": 0},
    "GatherND": {"batch_dims": 0},
    "ScatterElements": {"axis": 0, "reduction": "none"},
    "ScatterND": {"reduction": "none"},
    "Reshape": {"allowzero": False},
    "Flatten": {"axis": 1},
    "Squeeze": {"axes": None},
    "Unsqueeze": {"axes": None},
    "Split": {"axis": 0},
    "ArgMax": {"axis": 0, "keepdims": True, "select_last_index": False},
    "ArgMin": {"axis": 0, "keepdims": True, "select_last_index": False},
    "TopK": {"axis": -1, "largest": True, "sorted": True},
    "OneHot": {"axis": -1},
    "CumSum": {"exclusive": False, "reverse": False},
    "Trilu": {"upper": True},
    "DepthToSpace": {"mode": "DCR"},
    "BatchNormalization": {"momentum": 0.9, "training_mode": False, "spatial": None},
    "Mod": {"fmod": False},
    "MaxPool": {"ceil_mode": False, "storage_order": 0},
    "AveragePool": {"ceil_mode": False, "count_include_pad": False},
    "ConvTranspose": {"output_shape": None},
    "LSTM": {"clip": None, "input_forget": False, "layout": 0},
    "GRU": {"clip": None, "layout": 0},
    "RNN": {"clip": None, "layout": 0},
    **dict.fromkeys(REDUCTIONS, REDUCTION_DEFAULTS),
}
PADDING_MODES = {"NOTSET": "explicit", "VALID": "valid", "SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
AS_PIXELS_LIE = 11  # the opset from which Resize says how coordinates are turned into each other
RATE_AS_INPUT = 12
AXIS_OF_LAST = 13  # the opset from which softmax works along one axis


def details(site: Site, node: Node, draft: Draft) -> Details:
    """The details of a node that is a layer by itself, under names that its attributes do not have."""
    known = operands(site, node, draft)
    if not node.domain:
        told = {key: value for key, value in _of_attributes(site, node).items() if value is not None}
        known |= told
    return {key: value for key, value in known.items() if key not in draft.attributes}


def _of_attributes(site: Site, node: Node) -> Details:
    known: Details = {}
    for name, default in DEFAULTS.get(node.op, {}).items():
        value = _plain(node.attributes.get(name, default))
        known[name] = bool(value) if isinstance(default, bool) else value
    family = FAMILIES.get(node.op)
    return known | (family(site, node) if family else {})


def part_of_split(site: Site, node: Node, place: int) -> Details:
    """Which part of a Split an output is: `start` and `stop` along `axis`, where they are known."""
    axis = int(node.attributes.get("axis", 0))
    lengths = _lengths(site, node, axis)
    if lengths is None or place >= len(lengths):
        return {"axis": axis, "part": place}
    start = sum(lengths[:place])
    return {"axis": axis, "part": place, "start": start, "stop": start + lengths[place]}


def _lengths(site: Site, node: Node, axis: int) -> tuple[int, ...] | None:
    told = node.attributes.get("split")
    if told is not None:
        return tuple(told)
    if len(node.inputs) > 1 and node.inputs[1]:
        return site.net.integers(node.inputs[1])
    shape = site.shapes.get(node.inputs[0])
    whole = shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    if whole is None:
        return None
    length = -(-whole // len(node.outputs))
    last = whole - length * (len(node.outputs) - 1)
    return (*(length for _ in node.outputs[1:]), last)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(part) for part in value)
    return decimal(value) if isinstance(value, float) else value


def _convolution(site: Site, node: Node) -> Details:
    """has_window: whether the node says its window; a product with a matrix over channels does not."""
    return {**_padding_mode(site, node), "has_window": "kernel_shape" in node.attributes}


def _padding_mode(_: Site, node: Node) -> Details:
    mode = node.attributes.get("auto_pad", "NOTSET")
    return {"padding_mode": PADDING_MODES.get(mode, mode)}


def _pool(site: Site, node: Node) -> Details:
    dilation = tuple(node.attributes.get("dilations") or ())
    return {**_padding_mode(site, node), "dilation": dilation if max(dilation, default=1) > 1 else None}


def _global_pool(_: Site, __: Node) -> Details:
    return {"keepdims": True}


def _resize(site: Site, node: Node) -> Details:
    """How pixels of the output are found in the input; older opsets had one way."""
    is_old = node.op == "Upsample" or site.opset < AS_PIXELS_LIE
    coordinates, rounding = ("asymmetric", "floor") if is_old else ("half_pixel", "round_prefer_floor")
    told = node.attributes
    found = {"coordinate_transformation": told.get("coordinate_transformation_mode", coordinates)}
    match told.get("mode", "nearest"):
        case "nearest":
            found["rounding"] = told.get("nearest_mode", rounding)
        case "cubic":
            found["cubic_coefficient"] = decimal(told.get("cubic_coeff_a", -0.75))
    for name in (
        "scales",
        "axes",
        "antialias",
        "exclude_outside",
        "extrapolation_value",
        "keep_aspect_ratio_policy",
    ):
        if name in told:
            found[name] = _plain(told[name])
    return {**found, **_sizes(site, node)}


def _sizes(site: Site, node: Node) -> Details:
    """The lengths that a Resize asks for, None for one that is not known."""
    elements = vector_elements(node.inputs[3], Facts(site.net, site.shapes)) if len(node.inputs) > 3 else None
    return {"sizes": elements}


def _reshape(site: Site, node: Node) -> Details:
    """What it asks for where that is computed from other shapes: None for a length that is not known."""
    asked: Details = {"target": requested_shape(node, Facts(site.net, site.shapes))}
    axes = axes_as_long(site.net, *node.inputs[:2]) if len(node.inputs) > 1 else ()
    if axes:
        asked |= {"as_long_as": axes, "is_first_length": is_first_length(site.net, node.inputs[1])}
    return asked


def _expand(site: Site, node: Node) -> Details:
    """The shape that it asks for, where that is computed from other shapes."""
    facts = Facts(site.net, site.shapes)
    return {"target": vector_elements(node.inputs[1], facts) if len(node.inputs) > 1 else None}


def _gather(site: Site, node: Node) -> Details:
    """Places in a row of all items: those of the first item, and how long an item is."""
    found = site.net.strided.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return {} if found is None else {"offsets": numbers_of(found[0]), "item_size": found[1]}


def _pad(site: Site, node: Node) -> Details:
    """The amounts on all axes, as pairs; the attribute `padding` has those of spatial axes alone."""
    numbers = pads_of(node, site.net)
    if numbers is None or len(numbers) % 2:
        return {}
    half = len(numbers) // 2
    return {"pads": tuple((int(numbers[i]), int(numbers[i + half])) for i in range(half))}


def _cast(_: Site, node: Node) -> Details:
    return {"dtype": DTYPES.get(node.attributes.get("to", 0))}


def _dropout(site: Site, node: Node) -> Details:
    told = site.opset < RATE_AS_INPUT or len(node.inputs) < 2 or not node.inputs[1]
    return {"rate": decimal(node.attributes.get("ratio", 0.5))} if told else {}


def _softmax(site: Site, node: Node) -> Details:
    """joined: before opset 13 all axes from this one on are normalised together."""
    is_joined = site.opset < AXIS_OF_LAST
    axis = int(node.attributes.get("axis", 1 if is_joined else -1))
    return {"axis": axis, **({"joined": True} if is_joined else {})}


def _recurrent(site: Site, node: Node) -> Details:
    """Whether the sequence, and whether the states are used; what else the node is told."""
    used = [bool(v) and bool(site.net.consumers.get(v) or site.net.is_output(v)) for v in node.outputs]
    return {
        "return_sequences": any(used[:1]),
        "return_state": any(used[1:]),
        "fixed_inputs": fixed_inputs(site, node) or None,
        "backward_activations": backward_activations(node) or None,
        "hidden_activation": hidden_activation(node),
    }


FAMILIES: Mapping[str, Callable[[Site, Node], Details]] = {
    "Conv": _convolution,
    "ConvTranspose": _padding_mode,
    **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "Expand": _expand,
    "Gather": _gather,
    "Pad": _pad,
    "Reshape": _reshape,
    "Cast": _cast,
    "Dropout": _dropout,
}
