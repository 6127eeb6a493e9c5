"""TensorFlow's operations without weights as ONNX's: functions, sums, views, reductions."""

from collections.abc import Mapping

from weightbridge.formats.onnx.proto import Node
from weightbridge.formats.tensorflow.cutting import (
    Masks,
    pack,
    slice_of_size,
    split,
    split_by_lengths,
    strided_slice,
    unpack,
)
from weightbridge.formats.tensorflow.graphs.call import Call, Handler
from weightbridge.formats.tensorflow.graphs.types import TYPES
from weightbridge.formats.tensorflow.steps import (
    expand_dims,
    moved_blocks,
    not_equal,
    one_over_root,
    pad,
    place_of_largest,
    plain,
    quotient_or_zero,
    reduction,
    reflected,
    resize,
    select,
    square,
    squared_difference,
    transpose,
    turned_around,
)

SAME_NAME = (
    "Relu", "Elu", "Selu", "Softplus", "Softsign", "Sigmoid", "Tanh", "Exp", "Log", "Sqrt", "Neg", "Abs",
    "Erf", "Erfc", "Floor", "Ceil", "Round", "Reciprocal", "Sin", "Cos", "Sign", "Sub", "Mul", "Div", "Pow",
    "Equal", "Less", "Greater", "Shape", "Tile", "Range", "Reshape",
)  # fmt: skip
RENAMED = {
    **dict.fromkeys(("AddV2", "Add"), "Add"),
    "RealDiv": "Div",
    "AddN": "Sum",
    "Maximum": "Max",
    "Minimum": "Min",
    "Inv": "Reciprocal",
    "SelectV2": "Where",
    "LessEqual": "LessOrEqual",
    "GreaterEqual": "GreaterOrEqual",
    "LogicalAnd": "And",
    "LogicalOr": "Or",
    "LogicalNot": "Not",
    "BroadcastTo": "Expand",
    "SpaceToBatchND": "SPACE_TO_BATCH_ND",
    "BatchToSpaceND": "BATCH_TO_SPACE_ND",
}
REDUCTIONS = {
    "Mean": "ReduceMean",
    "Sum": "ReduceSum",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
}


def reducing(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        return reduction(call, op, bool(call.attributes.integer("keep_dims")))

    return handle


def concat(call: Call) -> list[Node] | None:
    """The axis is the last input, of the older Concat the first."""
    place = 0 if call.op == "Concat" else -1
    axis = call.integers(place)
    values = call.inputs[1:] if place == 0 else call.inputs[:-1]
    return [call.node("Concat", values, axis=axis[0])] if axis else None


def squeeze(call: Call) -> list[Node]:
    axes = call.attributes.integers("squeeze_dims")
    return [call.node("Squeeze", call.inputs, axes=axes) if axes else call.node("Squeeze", call.inputs)]


def strided(call: Call) -> list[Node] | None:
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    return strided_slice(call, Masks(*(call.attributes.integer(name) for name in names)))


def mirrored(call: Call) -> list[Node] | None:
    return reflected(call) if call.attributes.text("mode") == "REFLECT" else None


def resizing(mode: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        told = call.attributes
        return resize(
            call, mode, bool(told.integer("align_corners")), bool(told.integer("half_pixel_centers"))
        )

    return handle


def leaky_relu(call: Call) -> list[Node]:
    return [call.node("LeakyRelu", call.inputs, alpha=call.attributes.decimal("alpha", 0.2))]


def cast(call: Call) -> list[Node] | None:
    target = TYPES.get(call.attributes.integer("DstT"))
    return None if target is None else [call.node("Cast", call.inputs, to=target)]


def fill(call: Call) -> list[Node] | None:
    """Inputs: the shape, the one number."""
    number = call.numbers(call.value(1))
    if number is None or number.size != 1:
        return None
    return [call.node("ConstantOfShape", (call.value(0),), value=number.reshape(-1)[0].item())]


def first_input(call: Call) -> list[Node]:
    return [call.node("Identity", call.inputs[:1])]


def moving(op: str) -> Handler:
    def handle(call: Call) -> list[Node] | None:
        size = call.attributes.integer("block_size")
        return moved_blocks(call, op, size) if call.has_channels_last else None

    return handle


def largest(op: str) -> Handler:
    return lambda call: place_of_largest(call, op)


HANDLERS: Mapping[str, Handler] = {
    **{name: plain(name) for name in SAME_NAME},
    **{name: plain(op) for name, op in RENAMED.items()},
    **{name: reducing(op) for name, op in REDUCTIONS.items()},
    "Relu6": plain("Clip", min=0.0, max=6.0),
    "Softmax": plain("Softmax", axis=-1),
    "LogSoftmax": plain("LogSoftmax", axis=-1),
    "LeakyRelu": leaky_relu,
    "Rsqrt": one_over_root,
    "Square": square,
    "SquaredDifference": squared_difference,
    "DivNoNan": quotient_or_zero,
    "NotEqual": not_equal,
    "ClipByValue": plain("Clip"),
    "DepthToSpace": moving("DepthToSpace"),
    "SpaceToDepth": moving("SpaceToDepth"),
    "Select": select,
    **dict.fromkeys(("Concat", "ConcatV2"), concat),
    "Squeeze": squeeze,
    "ExpandDims": expand_dims,
    "Transpose": transpose,
    "Split": split,
    "SplitV": split_by_lengths,
    "Pack": lambda call: pack(call, call.attributes.integer("axis")),
    "Unpack": lambda call: unpack(call, call.attributes.integer("axis")),
    "Slice": slice_of_size,
    "StridedSlice": strided,
    **dict.fromkeys(("Pad", "PadV2"), pad),
    "MirrorPad": mirrored,
    "ResizeBilinear": resizing("linear"),
    "ResizeNearestNeighbor": resizing("nearest"),
    "Cast": cast,
    "Fill": fill,
    "ReverseV2": turned_around,
    **dict.fromkeys(("TensorListFromTensor", "TensorListStack"), first_input),
    "TensorListGetItem": lambda call: [call.node("Gather", call.inputs[:2], axis=0)],
    "ArgMax": largest("ArgMax"),
    "ArgMin": largest("ArgMin"),
}
