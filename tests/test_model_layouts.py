"""Which axis of a stored tensor is which, by framework, operation and role."""

from typing import Any

import pytest

from weightbridge.model.graph import Layer
from weightbridge.model.layouts import as_operation, length_of, split, stored_axes
from weightbridge.model.tensors import Array, Tensor

Shape = tuple[int, ...]


def unread() -> Array:
    raise AssertionError("nothing reads values here")


def tensor(role: str, shape: Shape, axes: str = "") -> Tensor:
    return Tensor(role, role, shape, "float32", role, unread, axes=axes)


@pytest.mark.parametrize(
    ("framework", "op", "role", "shape", "attributes", "axes"),
    [
        ("keras", "Conv", "kernel", (3, 3, 2, 8), {}, "h w i o"),
        ("keras", "Conv", "kernel", (8, 2, 3, 3), {"kernel_axes": "o i ..."}, "o i h w"),
        ("keras", "ConvTranspose", "kernel", (3, 8, 2), {}, "w o i"),
        ("keras", "DepthwiseConv", "kernel", (3, 3, 2, 1), {}, "h w c m"),
        ("keras", "SeparableConv", "pointwise_kernel", (1, 1, 2, 8), {}, "h w i o"),
        ("torch", "Conv", "kernel", (8, 2, 3, 3, 3), {}, "o i d h w"),
        ("onnx", "ConvTranspose", "kernel", (2, 8, 3, 3), {}, "i o h w"),
        ("onnx", "DepthwiseConv", "kernel", (4, 1, 3, 3), {}, "(c m) 1 h w"),
        ("onnx", "Conv", "kernel", (3, 3, 2, 8), {"layouts": {"kernel": "h w i o"}}, "h w i o"),
        ("onnx", "Conv", "kernel", (9, 2, 8), {"layouts": {"kernel": ""}}, ""),
        ("onnx", "Dense", "kernel", (8, 2), {"transposed": True}, "o i"),
        ("keras", "Dense", "kernel", (2, 8), {}, "i o"),
        ("keras", "Embedding", "embeddings", (9, 4), {}, "v e"),
        ("keras", "EinsumDense", "kernel", (6, 2, 3), {"equation": "abc,cde->abde"}, "i n o"),
        ("keras", "EinsumDense", "kernel", (2, 3, 6), {"equation": "abcd,cde->abe"}, "j i o"),
        ("keras", "EinsumDense", "bias", (2, 3), {"equation": "abc,cde->abde"}, "n o"),
        ("keras", "EinsumDense", "kernel", (2, 3), {"equation": "no equation"}, ""),
        ("keras", "GRU", "bias", (2, 12), {}, "b g"),
        ("onnx", "LSTM", "recurrent_kernel", (1, 16, 4), {"weights": "onnx"}, "r g u"),
        ("onnx", "LSTM", "kernel", (3, 16), {"weights": "keras"}, "i g"),
        ("torch", "GRU", "kernel", (12, 3), {"weights": "torch"}, "g i"),
        ("torch", "Attention", "in_proj_kernel", (12, 4), {}, "(p o) i"),
        ("torch", "Opaque", "weight", (4, 8, 2), {"transposed": True}, "x o i"),
        ("torch", "Opaque", "weight", (4, 8, 2), {}, ""),
        ("keras", "BatchNorm", "gamma", (8,), {}, "o"),
        ("onnx", "BatchNorm", "gamma", (1, 8), {"layouts": {"gamma": "1 c"}}, "1 o"),
        ("keras", "Conv", "kernel", (3, 3), {}, ""),
        ("keras", "Opaque", "kernel", (3, 3), {}, ""),
    ],
)
def test_a_tensor_has_the_axes_of_its_layer(
    framework: str, op: str, role: str, shape: Shape, attributes: dict[str, Any], axes: str
) -> None:
    layer = Layer("layer", op, attributes=attributes)
    assert stored_axes(framework, layer, tensor(role, shape)) == axes
    assert len(split(axes)) in (0, len(shape))


@pytest.mark.parametrize(
    ("framework", "op", "other", "axes", "expected"),
    [
        pytest.param("torch", "Conv", "DepthwiseConv", "o i h w", "(c m) 1 h w", id="one channel a group"),
        pytest.param("torch", "Conv", "ConvTranspose", "o i h w", "i o h w", id="transposed"),
        pytest.param("keras", "DepthwiseConv", "Conv", "h w c m", "h w i o", id="of Keras"),
        pytest.param("onnx", "DepthwiseConv", "Conv", "h w 1 (c m)", "h w i o", id="stored otherwise"),
        pytest.param("onnx", "Conv", "DepthwiseConv", "", "", id="unknown"),
    ],
)
def test_a_kernel_is_read_as_another_convolution(
    framework: str, op: str, other: str, axes: str, expected: str
) -> None:
    kernel = tensor("kernel", (4, 1, 3, 3), axes)
    layer, read = as_operation(framework, Layer("layer", op), kernel, other)
    assert (layer.op, read.axes, read.shape) == (other, expected, kernel.shape)


def test_an_axis_has_a_length_only_where_it_is_named() -> None:
    kernel = tensor("kernel", (8, 2, 3, 3), "o i h w")
    assert (length_of(kernel, "o"), length_of(kernel, "c")) == (8, None)
