"""TensorFlow functions that stand in models of tf.keras, and Keras 3's operations that compute the same."""

from collections.abc import Mapping

from weightbridge.boundary.records import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of Keras 3.

    module: below `keras.src.ops`. takes: arguments of the function that it is called with, in its own order.
    settings: arguments that its configuration holds, by Keras's names; what may be missing is "name=".
    listed: whether the first argument is a list of tensors.
    """

    module: str
    class_name: str
    takes: tuple[str, ...]
    settings: Mapping[str, str]
    listed: bool = False


def _operation(target: str, takes: str, settings: str) -> Operation:
    module, class_name = target.split(".")
    pairs = (one.split(">") for one in settings.split())
    names = tuple(takes.strip("*").split())
    return Operation(module, class_name, names, dict(pairs), takes.startswith("*"))


_UNARY = (
    "sqrt>Sqrt square>Square exp>Exp log>Log log1p>Log1p expm1>Expm1 abs>Absolute negative>Negative "
    "neg>Negative "
    "sin>Sin cos>Cos tanh>Tanh floor>Floor ceil>Ceil round>Round sign>Sign reciprocal>Reciprocal "
    "zeros_like>ZerosLike ones_like>OnesLike"
)
_BINARY = (
    "add>Add addv2>Add subtract>Subtract sub>Subtract multiply>Multiply mul>Multiply truediv>TrueDivide "
    "divide>TrueDivide realdiv>TrueDivide floordiv>FloorDivide pow>Power "
    "maximum>Maximum minimum>Minimum greater>Greater greater_equal>GreaterEqual less>Less "
    "less_equal>LessEqual equal>Equal not_equal>NotEqual logical_and>LogicalAnd logical_or>LogicalOr"
)
_REDUCED = "reduce_mean>Mean reduce_sum>Sum reduce_max>Max reduce_min>Min reduce_prod>Prod"
# function; operation; what it is called with (* for a list); settings "theirs>Keras's"
_ROWS = (
    ("relu", "nn.Relu", "features", ""),
    ("relu6", "nn.Relu6", "features", ""),
    ("sigmoid", "nn.Sigmoid", "x", ""),
    ("softplus", "nn.Softplus", "features", ""),
    ("softsign", "nn.Softsign", "features", ""),
    ("selu", "nn.Selu", "features", ""),
    ("elu", "nn.Elu", "features", ""),
    ("silu", "nn.Silu", "features", ""),
    ("swish", "nn.Silu", "features", ""),
    ("gelu", "nn.Gelu", "features", "approximate>approximate"),
    ("leaky_relu", "nn.LeakyRelu", "features", "alpha>negative_slope"),
    ("softmax", "nn.Softmax", "logits", "axis>axis"),
    ("log_softmax", "nn.LogSoftmax", "logits", "axis>axis"),
    ("rsqrt", "math.Rsqrt", "x", ""),
    ("l2_normalize", "nn.Normalize", "x", "axis>axis"),
    ("concat", "numpy.Concatenate", "*values", "axis>axis"),
    ("stack", "numpy.Stack", "*values", "axis>axis"),
    ("reshape", "numpy.Reshape", "tensor", "shape>newshape"),
    ("transpose", "numpy.Transpose", "a", "perm>axes"),
    ("expand_dims", "numpy.ExpandDims", "input", "axis>axis"),
    ("squeeze", "numpy.Squeeze", "input", "axis>axis"),
    ("cast", "core.Cast", "x", "dtype>dtype"),
    ("stop_gradient", "core.StopGradient", "input", ""),
    ("clip_by_value", "numpy.Clip", "t", "clip_value_min>x_min clip_value_max>x_max"),
    ("tile", "numpy.Tile", "input", "multiples>repeats"),
    ("matmul", "numpy.Matmul", "a b", ""),
    ("where", "numpy.Where", "condition x y", ""),
    ("gather", "numpy.Take", "params indices", "axis>axis"),
    ("reverse", "numpy.Flip", "tensor", "axis>axis"),
    ("cumsum", "numpy.Cumsum", "x", "axis>axis"),
    ("argmax", "numpy.Argmax", "input", "axis>axis"),
    ("one_hot", "nn.OneHot", "indices", "depth>num_classes"),
    ("split", "numpy.Split", "value", "num_or_size_splits>indices_or_sections axis>axis"),
    ("pad", "numpy.Pad", "tensor", "paddings>pad_width mode>mode"),
    ("resize", "image.Resize", "images", "size>size method>interpolation antialias>antialias"),
    *((one.split(">")[0], f"numpy.{one.split('>')[1]}", "x", "") for one in _UNARY.split()),
    *((one.split(">")[0], f"numpy.{one.split('>')[1]}", "x y", "") for one in _BINARY.split()),
    *(
        (one.split(">")[0], f"numpy.{one.split('>')[1]}", "input_tensor", "axis>axis keepdims>keepdims")
        for one in _REDUCED.split()
    ),
)
OPERATIONS: Mapping[str, Operation] = {name: _operation(*row) for name, *row in _ROWS}
# what TensorFlow assumes where Keras's operation would not, or has no default
DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "gelu": {"approximate": False},
    "leaky_relu": {"alpha": 0.2},
    "stack": {"axis": 0},
    "split": {"axis": 0},
    "gather": {"axis": 0},
    "argmax": {"axis": 0},
}
# arguments that say nothing where they hold this
IDLE: Mapping[str, tuple[object, ...]] = {
    "conjugate": (False,),
    "constant_values": (0, 0.0, None),
    "preserve_aspect_ratio": (False,),
    "exclusive": (False,),
    "reverse": (False,),
    "batch_dims": (0,),
    "validate_indices": (None,),
    "beta": (1.0, None),
    "num": (None,),
    "output_type": ("int64",),
    "transpose_a": (False,),
    "transpose_b": (False,),
    "adjoint_a": (False,),
    "adjoint_b": (False,),
    "a_is_sparse": (False,),
    "b_is_sparse": (False,),
    "grad_a": (False,),
    "grad_b": (False,),
}
