"""Nodes whose inputs or attributes contradict their operation.

Marked once, so that nothing looks into them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.formats.onnx.proto import Graph, Node
from weightbridge.formats.onnx.values.subgraphs import subgraphs

Kind = Callable[[Any], bool]
MARK = "\0malformed"  # behind the operation's name: what knows operations by name does not know this one


def with_marks(graph: Graph) -> Graph:
    """The graph with its malformed nodes marked.

    They become opaque layers with the tensors that they read.
    """
    nodes = tuple(n if is_well_formed(n) else replace(n, op=f"{n.op}{MARK}") for n in graph.nodes)
    return replace(graph, nodes=nodes)


def operation_of(node: Node) -> str:
    """The operation's name as the file has it."""
    return node.op.removesuffix(MARK)


def is_well_formed(node: Node) -> bool:
    """Whether a node has the inputs and the kinds of attributes that ONNX defines."""
    if not node.domain and not all(_required(node)):
        return False
    if not all(KINDS[name](value) for name, value in node.attributes.items() if name in KINDS):
        return False
    return all(is_well_formed(inner) for graph in subgraphs(node) for inner in graph.nodes)


def _required(node: Node) -> tuple[str, ...]:
    """The inputs that the operation cannot do without, "" for each that is missing."""
    count = FEWEST_INPUTS.get(node.op, 0)
    return (*node.inputs[:count], *("" for _ in range(count - len(node.inputs))))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are(kind: Kind) -> Kind:
    return lambda value: isinstance(value, tuple) and all(kind(part) for part in value)


def _is_permutation(value: Any) -> bool:
    return (
        isinstance(value, tuple) and all(map(_is_integer, value)) and sorted(value) == list(range(len(value)))
    )


FEWEST_INPUTS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "AveragePool", "BatchNormalization", "Cast", "Clip", "Dropout", "Flatten", "GlobalAveragePool",
            "GlobalMaxPool", "Identity", "LayerNormalization", "MaxPool", "Pad", "ReduceMax", "ReduceMean",
            "Reshape",
            "Resize", "Slice", "Softmax", "Split", "Squeeze", "Transpose", "Unsqueeze", "Upsample",
        ),
        1,
    ),
    **dict.fromkeys(
        (
            "Add", "CastLike", "Conv", "ConvInteger", "ConvTranspose", "DequantizeLinear", "Div", "Expand",
            "Gather",
            "GatherElements", "Gemm", "MatMul", "MatMulInteger", "Mul", "PRelu", "Pow", "QuantizeLinear",
            "Sub", "Tile",
        ),
        2,
    ),
    **dict.fromkeys(("GRU", "InstanceNormalization", "LSTM", "RNN", "Where"), 3),
    "QLinearConv": 8,
    "QLinearMatMul": 8,
}  # fmt: skip
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(
        (
            "allowzero", "antialias", "axis", "batch_dims", "ceil_mode", "count_include_pad",
            "exclude_outside",
            "exclusive", "group", "hidden_size", "input_forget", "keepdims", "largest", "layout",
            "linear_before_reset", "noop_with_empty_axes", "num_groups", "reverse", "select_last_index",
            "sorted",
            "storage_order", "to", "training_mode", "transA", "transB", "upper",
        ),
        _is_integer,
    ),
    **dict.fromkeys(
        ("alpha", "beta", "clip", "cubic_coeff_a", "epsilon", "extrapolation_value", "max", "min", "momentum",
            "ratio"),
        _is_number,
    ),
    **dict.fromkeys(
        (
            "approximate", "auto_pad", "coordinate_transformation_mode", "direction", "equation",
            "keep_aspect_ratio_policy", "mode", "nearest_mode", "reduction",
        ),
        _is_text,
    ),
    **dict.fromkeys(
        (
            "axes", "dilations", "ends", "kernel_shape", "output_padding", "output_shape", "paddings", "pads",
            "shape", "split",
            "starts", "strides",
        ),
        _are(_is_integer),
    ),
    "activation_alpha": _are(_is_number),
    "activation_beta": _are(_is_number),
    "activations": _are(_is_text),
    "perm": _is_permutation,
    "scales": _are(_is_number),
}  # fmt: skip
