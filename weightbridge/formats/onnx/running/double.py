"""The same ONNX model in float64, with every float32 tensor, type and cast changed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from onnx import AttributeProto, TensorProto, numpy_helper
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_rnn import CommonRNN

from weightbridge.formats.onnx.running.weights import is_apart
from weightbridge.model.tensors import Array

NARROW = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
ALWAYS_FLOAT = {
    "Resize": (2,),
    "Upsample": (1,),
    "QuantizeLinear": (1,),
    "DequantizeLinear": (1,),
}  # inputs whose type ONNX fixes
TYPES = {"Cast": "to", "EyeLike": "dtype", "RandomNormal": "dtype", "RandomUniform": "dtype"}


class BatchNormalization(OpRun):
    """onnx's reference takes every BatchNormalization before opset 14 for one that is being trained."""

    op_domain = ""

    def _run(self, x: Array, *parameters: Array, epsilon: float | None = None, **_: Any) -> tuple[Array]:
        shape = (-1, *(1,) * (x.ndim - 2))
        scale, bias, mean, variance = (p.reshape(shape) for p in parameters)
        deviation = np.sqrt(variance + (1e-5 if epsilon is None else epsilon))
        return ((x - mean) / deviation * scale + bias,)


class LogSoftmax(OpRun):
    """onnx's reference takes the logarithm of a softmax.

    That is minus infinity where the softmax is too small for a number.
    """

    op_domain = ""

    def _run(self, x: Array, axis: int | None = None, **_: Any) -> tuple[Array]:
        along = -1 if axis is None else axis
        moved = x - x.max(along, keepdims=True)
        total = np.exp(moved).sum(along, keepdims=True)
        return (moved - np.log(total),)


class RNN(CommonRNN):
    """onnx's reference knows Tanh and Affine alone."""

    op_domain = ""
    FUNCTIONS: ClassVar[Mapping[str, Callable[[Array], Array]]] = {
        "relu": lambda x: np.maximum(x, 0),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "softplus": lambda x: np.logaddexp(0, x),
    }

    def choose_act(self, name: str, alpha: float | None, beta: float | None) -> Any:
        known = self.FUNCTIONS.get(name.lower())
        return known or super().choose_act(name, alpha, beta)  # type: ignore[no-untyped-call]


OWN = (BatchNormalization, LogSoftmax, RNN)


def in_double(model: Any) -> Any:
    """A copy of a ModelProto in float64."""
    copy = type(model)()
    copy.CopyFrom(model)
    _convert(copy.graph)
    return copy


def _convert(graph: Any) -> None:
    kept = kept_types(graph)
    for tensor in graph.initializer:
        if tensor.name not in kept:
            _widen(tensor)
    for info in (*graph.input, *graph.output, *graph.value_info):
        if info.type.tensor_type.elem_type in NARROW and info.name not in kept:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            _convert_attribute(node, attribute, kept)
        _name_type(node)


def kept_types(graph: Any) -> set[str]:
    """The values whose type ONNX fixes."""
    kept: set[str] = set()
    for node in _nodes(graph):
        for i in ALWAYS_FLOAT.get(node.op_type, ()):
            kept.update(node.input[i : i + 1])
    return kept


def _convert_attribute(node: Any, attribute: Any, kept: set[str]) -> None:
    if attribute.type == AttributeProto.TENSOR and not kept.intersection(node.output):
        _widen(attribute.t)
    elif attribute.type == AttributeProto.GRAPH:
        _convert(attribute.g)
    elif attribute.name == TYPES.get(node.op_type) and attribute.i in NARROW:
        attribute.i = TensorProto.DOUBLE


def _name_type(node: Any) -> None:
    """Constants that stand in a node as plain numbers are float32 by definition: they become a tensor."""
    if node.op_type != "Constant":
        return
    for attribute in node.attribute:
        if attribute.name in ("value_float", "value_floats"):
            numbers = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            values = np.array(numbers, np.float64)
            attribute.Clear()
            attribute.name, attribute.type = "value", AttributeProto.TENSOR
            attribute.t.CopyFrom(numpy_helper.from_array(values))


def _widen(tensor: Any) -> None:
    if tensor.data_type in NARROW and is_apart(tensor):
        tensor.data_type = TensorProto.DOUBLE
    elif tensor.data_type in NARROW:
        values = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _nodes(attribute.g)
