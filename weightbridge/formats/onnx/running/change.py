"""ONNX graphs changed before they run: other input shapes, other weights."""

from collections.abc import Mapping
from typing import Any

from onnx import TensorProto, numpy_helper

from weightbridge.formats.onnx.running.double import kept_types
from weightbridge.formats.onnx.running.weights import Weights, is_apart
from weightbridge.formats.running import Change, Precision, Shape
from weightbridge.model.tensors import Array

FLOATS = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "float64",
}


def precision_of(proto: Any) -> Precision:
    """An ONNX graph computes in the dtypes of its tensors; scalars in it are constants, not weights."""
    held = [FLOATS.get(tensor.data_type, "") for tensor in proto.graph.initializer if tensor.dims]
    known = sorted({dtype for dtype in held if dtype}, key=_coarseness)
    coarsest = known[0] if known else "float32"
    return Precision(coarsest, coarsest)


def _coarseness(dtype: str) -> int:
    return ("bfloat16", "float16", "float32", "float64").index(dtype)


def reshaped(proto: Any, shapes: Mapping[str, Shape]) -> Any:
    """A copy whose inputs have these shapes; what it declared of the values behind them is taken away."""
    copy = _copy(proto)
    for info in copy.graph.input:
        if info.name in shapes:
            _set_shape(info.type.tensor_type.shape.dim, shapes[info.name])
    del copy.graph.value_info[:]
    for info in copy.graph.output:
        info.type.tensor_type.ClearField("shape")
    return copy


def _set_shape(dims: Any, shape: Shape) -> None:
    for dim, size in zip(dims, shape, strict=True):
        dim.Clear()
        if size is not None:
            dim.dim_value = size


def changed(
    proto: Any, weights: Weights, change: Change, owners: Mapping[str, str]
) -> tuple[Any, dict[str, Array]]:
    """A copy, each of whose floating-point initializers is changed; scalars, and what ONNX fixes, stay.

    owners: the layer of each initializer, by its name. Also the changed weights that stand apart.
    """
    copy, apart = _copy(proto), dict[str, Array]()
    kept = kept_types(copy.graph)
    for tensor in copy.graph.initializer:
        if tensor.data_type not in FLOATS or not tensor.dims or tensor.name in kept:
            continue
        owner = owners.get(tensor.name, "")
        if is_apart(tensor):
            apart[tensor.name] = change(owner, weights[tensor.name]())
        else:
            value = change(owner, numpy_helper.to_array(tensor))
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    return copy, apart


def _copy(proto: Any) -> Any:
    copy = type(proto)()
    copy.CopyFrom(proto)
    return copy
