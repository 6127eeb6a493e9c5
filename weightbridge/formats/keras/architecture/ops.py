"""Operations in a Keras graph (Keras 3's operation nodes, TensorFlow ops of tf.keras) and wrappers ->
canonical ops.
"""

from collections.abc import Mapping

from weightbridge.formats.keras.architecture.classes import OPERATIONS
from weightbridge.formats.keras.architecture.config import ConfigLayer

OF_TENSORFLOW = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")  # of tf.keras
MERGES = {"concat": "Concat", "sum": "Add", "mul": "Multiply", "ave": "Average"}
FUNCTIONS: Mapping[str, str] = {  # the last part of a TensorFlow function's name, and TensorFlow's ops
    "add": "Add",
    "addv2": "Add",
    "subtract": "Subtract",
    "sub": "Subtract",
    "multiply": "Multiply",
    "mul": "Multiply",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "concat": "Concat",
    "concatv2": "Concat",
    "reshape": "Reshape",
    "transpose": "Permute",
    "relu": "Activation",
    "relu6": "Activation",
    "sigmoid": "Activation",
    "tanh": "Activation",
    "softmax": "Activation",
    "gelu": "Activation",
    "silu": "Activation",
    "cast": "Cast",
    "identity": "Identity",
    "strided_slice": "Slice",
    "_slice_helper": "Slice",
}


def operation_of(layer: ConfigLayer) -> str:
    """The canonical op of an operation node; `Opaque` for one that is not in the tables."""
    if layer.kind == "operation":
        return OPERATIONS.get(layer.class_name, "Opaque")
    if layer.class_name == "SlicingOpLambda":
        return "Slice"
    return FUNCTIONS.get(function_of(layer), "Opaque")


def function_of(layer: ConfigLayer) -> str:
    """The TensorFlow function that a TFOpLambda or TensorFlowOpLayer calls, in lower case, without its
    modules.
    """
    told = layer.config.get("function")
    if not isinstance(told, str):
        node = layer.config.get("node_def")
        told = (
            node.get("op") if isinstance(node, Mapping) else str(node).partition('op: "')[2].partition('"')[0]
        )
    return str(told).rsplit(".", 1)[-1].lower()


def wrapper_of(layer: ConfigLayer) -> str:
    """A wrapper joins what its parts give (Bidirectional), or hands it on."""
    if layer.class_name == "Bidirectional":
        mode = layer.config.get("merge_mode", "concat")
        return MERGES.get(mode, "Identity") if isinstance(mode, str) else "Identity"
    return "Identity"
