"""What an operation between layers is called: Keras 3's class, also of TensorFlow's functions in tf.keras."""

from collections.abc import Mapping

from weightbridge.formats.keras.architecture.config import ConfigLayer
from weightbridge.formats.keras.architecture.ops import OF_TENSORFLOW, function_of

SLICING = "SlicingOpLambda"
FUNCTIONS: Mapping[str, str] = {  # the last part of a function's name, in lower case -> a class of keras.ops
    **dict.fromkeys(("add", "addv2"), "Add"),
    **dict.fromkeys(("subtract", "sub"), "Subtract"),
    **dict.fromkeys(("multiply", "mul"), "Multiply"),
    **dict.fromkeys(("truediv", "divide", "div", "realdiv"), "TrueDivide"),
    **dict.fromkeys(("neg", "negative"), "Negative"),
    **dict.fromkeys(("concat", "concatv2"), "Concatenate"),
    **dict.fromkeys(("where", "where_v2"), "Where"),
    **dict.fromkeys(("swish", "silu"), "Silu"),
    "pow": "Power",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "reshape": "Reshape",
    "transpose": "Transpose",
    "expand_dims": "ExpandDims",
    "squeeze": "Squeeze",
    "stack": "Stack",
    "split": "Split",
    "pad": "Pad",
    "tile": "Tile",
    "matmul": "Matmul",
    "einsum": "Einsum",
    "cast": "Cast",
    "clip_by_value": "Clip",
    "identity": "Identity",
    "stop_gradient": "StopGradient",
    "reduce_mean": "Mean",
    "reduce_sum": "Sum",
    "reduce_max": "Max",
    "reduce_min": "Min",
    "abs": "Absolute",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "rsqrt": "Rsqrt",
    "square": "Square",
    "sin": "Sin",
    "cos": "Cos",
    "relu": "Relu",
    "relu6": "Relu6",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "softplus": "Softplus",
    "leaky_relu": "LeakyRelu",
    "_slice_helper": "GetItem",
}


def operation_name(layer: ConfigLayer) -> str | None:
    """None for a layer that is no operation; "" for a function that is not in the table."""
    if layer.kind == "operation":
        return layer.class_name
    if layer.class_name == SLICING:
        return "GetItem"
    return FUNCTIONS.get(function_of(layer), "") if layer.class_name in OF_TENSORFLOW else None
