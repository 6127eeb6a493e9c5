"""The inputs of an ONNX node by name: data come on edges, small constants are details of the layer."""

from collections.abc import Mapping
from typing import Any

from weightbridge.formats.onnx.drafts import Draft, Site, numbers_of
from weightbridge.formats.onnx.nodes.alike import alike
from weightbridge.formats.onnx.nodes.rooted import rooted
from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.onnx.values.constants import Constant
from weightbridge.formats.onnx.values.evaluate import BROADCASTING
from weightbridge.formats.onnx.values.moved import rows_of

REDUCTIONS = (
    "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip
WEIGHTS = ("", "kernel", "bias")
RECURRENT = ("", "kernel", "recurrent_kernel", "bias", "sequence_lengths", "initial_state.0",
             "initial_state.1", "peepholes")  # fmt: skip
NAMES: Mapping[str, tuple[str, ...]] = {  # op -> canonical names of its inputs, "" for what it works on
    "Slice": ("", "starts", "ends", "axes", "steps"),
    "Gather": ("", "indices"),
    "GatherElements": ("", "indices"),
    "GatherND": ("", "indices"),
    "ScatterElements": ("", "indices", "updates"),
    "ScatterND": ("", "indices", "updates"),
    "Resize": ("", "roi", "scales", "sizes"),
    "Upsample": ("", "scales"),
    "Pad": ("", "pads", "value", "axes"),
    "Clip": ("", "min", "max"),
    "Expand": ("", "target"),
    "Reshape": ("", "target"),
    "Tile": ("", "repeats"),
    "Squeeze": ("", "axes"),
    "Unsqueeze": ("", "axes"),
    "TopK": ("", "k"),
    "Split": ("", "lengths"),
    "Dropout": ("", "rate", "training_mode"),
    "OneHot": ("", "depth", "values"),
    "CumSum": ("", "axis"),
    "Trilu": ("", "k"),
    "Range": ("start", "limit", "delta"),
    "Where": ("condition", "x", "y"),
    "QuantizeLinear": ("", "scale", "zero_point"),
    "DequantizeLinear": ("", "scale", "zero_point"),
    "Attention": ("", "key", "value", "mask", "past_key", "past_value"),
    "Conv": WEIGHTS,
    "ConvTranspose": WEIGHTS,
    "PRelu": ("", "alpha"),
    "BatchNormalization": ("", "gamma", "beta", "moving_mean", "moving_variance"),
    **dict.fromkeys(
        ("LayerNormalization", "InstanceNormalization", "GroupNormalization"), ("", "gamma", "beta")
    ),
    **dict.fromkeys(REDUCTIONS, ("", "axes")),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), RECURRENT),
}
HANDED_ON = ("Identity", "Cast")
SINGLE = frozenset({"k", "axis", "depth", "value", "min", "max", "rate", "training_mode"})
FACTORS = frozenset({"scales", "roi", "values"})
MOST_FACTORS = 16
POSITIONAL = frozenset({
    "Opaque", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "MatMul", "Dot", "Concat",
})  # fmt: skip


def name_of(node: Node, place: int) -> str:
    """The canonical name of an input, "" where it is what the node works on, or has no name."""
    names = NAMES.get(node.op, ()) if not node.domain else ()
    return names[place] if place < len(names) else ""


def operands(site: Site, node: Node, draft: Draft) -> dict[str, Any]:
    """The constant inputs of a node: by their names, else `arguments` with all inputs in order."""
    constants = {
        place: value for place, value in enumerate(node.inputs) if value and not site.net.is_data(value)
    }
    names = {place: name_of(node, place) for place in constants}
    named = {name: _named(site, node, constants[place], draft, name) for place, name in names.items() if name}
    known = {name: value for name, value in named.items() if value is not None}
    if "" in names.values() and draft.op in POSITIONAL:
        known["arguments"] = _arguments(site, node, draft)
    return known


def _named(site: Site, node: Node, value: str, draft: Draft, name: str) -> Any:
    if name in FACTORS:
        return _factors(site, value)
    constant = _constant(site, value, draft)
    if constant is None and node.op in BROADCASTING:
        return alike(site, node, value)
    return _single(constant) if name in SINGLE else constant


def _factors(site: Site, value: str) -> Any:
    """The numbers of a short vector of floats, which no other reader asks for."""
    tensor = site.constant(value)
    if tensor is None or tensor.views or not 0 < tensor.size <= MOST_FACTORS:
        return None
    return numbers_of(site.read(tensor.header))


def _arguments(site: Site, node: Node, draft: Draft) -> tuple[Any, ...]:
    """All inputs: `{"input": n}` for data, numbers, `{"tensor": role}`, None for what is not known."""
    arguments: list[Any] = []
    count = 0
    for value in node.inputs:
        if site.net.is_data(value):
            arguments.append({"input": count})
            count += 1
        else:
            constant = _constant(site, value, draft)
            arguments.append(alike(site, node, value) if constant is None else constant)
    return tuple(arguments)


def _constant(site: Site, value: str, draft: Draft) -> Any:
    """Numbers, or the role of one of the layer's tensors.

    None where it has a role by its name, or is not known.
    """
    tensor = site.constant(value)
    role = None if tensor is None else _role(tensor, draft)
    if role is not None:
        return {"tensor": role} if role.isdigit() else None
    array = site.net.numbers.get(value)
    if array is not None:
        return numbers_of(array)
    return _root(site, value, draft) or _made_of_tensor(site, value, draft)


def _root(site: Site, value: str, draft: Draft) -> Any:
    """The root of a tensor, and what it is at least."""
    root = rooted(site, value)
    role = None if root is None else _role(root.tensor, draft)
    return {"root": role, "least": root.least} if root is not None and role and role.isdigit() else None


def _made_of_tensor(site: Site, value: str, draft: Draft) -> Any:
    """A tensor that is repeated along axes of length one, or rows of one by their numbers."""
    node = _maker(site, value)
    tensor = site.constant(node.inputs[0]) if node is not None and node.inputs else None
    role = None if tensor is None or tensor.views else _role(tensor, draft)
    if node is None or tensor is None or node.domain or role is None or not role.isdigit():
        return _looked_up(site, value, draft)
    if node.op == "Expand":
        return {"tensor": role} if _is_repeated_alone(site, value, tensor) else None
    rows = _rows(site, node)
    return _looked_up(site, value, draft) if rows is None else {"tensor": role, "rows": rows}


def _looked_up(site: Site, value: str, draft: Draft) -> Any:
    """Rows of a table by numbers of several axes, turned and cut: `numbers`, and where a row's axis is."""
    found = rows_of(value, site.net, site.read)
    role = None if found is None else _role(found.table, draft)
    if found is None or role is None or not role.isdigit():
        return None
    numbers = numbers_of(found.numbers)
    return {"tensor": role, "numbers": numbers, "axis": found.axis, "is_turned": found.is_turned}


def _is_repeated_alone(site: Site, value: str, tensor: Constant) -> bool:
    """Whether only items of a batch are added to a tensor: its other axes are as long as they were."""
    shape, own = site.shapes.get(value), tensor.shape
    if shape is None or own is None:
        return True
    return shape[1:] == ((1,) * (len(shape) - len(own)) + own)[1:]


def _maker(site: Site, value: str) -> Node | None:
    """The node that makes a value, through those that hand it on."""
    node = site.net.source(value)
    while node is not None and node.op in HANDED_ON and not node.domain:
        node = site.net.source(node.inputs[0])
    return node


def _rows(site: Site, node: Node) -> tuple[int, ...] | None:
    """The numbers of the rows that a Gather takes of a table."""
    if node.op != "Gather" or node.attributes.get("axis"):
        return None
    value = node.inputs[1]
    array = site.net.repeated.get(value)
    return site.net.integers(value) if array is None else tuple(int(n) for n in array.reshape(-1))


def _role(tensor: Constant, draft: Draft) -> str | None:
    return next((slot.role for slot in draft.slots if slot.constant.header is tensor.header), None)


def _single(value: Any) -> Any:
    """A number that some exporters write as a vector of one."""
    while isinstance(value, tuple) and len(value) == 1:
        value = value[0]
    return value
