"""Weights that are computed from several stored tensors: weight and spectral norm, LoRA, scaled integers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weightbridge.model.tensors import Array


def _weight_norm(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """g v / |v|, the norm over the axes along which g has one number (Salimans and Kingma 2016)."""
    v, g = (array.astype(np.float64) for array in arrays)
    lengths = (1,) * v.ndim if g.size == 1 else g.shape
    axes = tuple(axis for axis, n in enumerate(lengths) if n == 1)
    norm = np.sqrt(np.sum(np.square(v), axis=axes, keepdims=True))
    return np.asarray((g.reshape(()) if g.size == 1 else g) * v / norm)


def _spectral_norm(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """W / (u W v) with stored singular vectors; of several axes for u the one that they belong to."""
    weight, u, v = (array.astype(np.float64) for array in arrays)
    matrices = [np.moveaxis(weight, int(axis), 0).reshape(u.size, -1) for axis in parameters["axes"]]
    sigmas = [float(u @ matrix @ v) for matrix in matrices]
    return np.asarray(weight / max(sigmas, key=abs))


def _low_rank(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """W + B A scaling, turned where W is (in, out); with a magnitude, its rows have that length (DoRA)."""
    weight, down, up = (array.astype(np.float64) for array in arrays[:3])
    product = up.reshape(up.shape[0], -1) @ down.reshape(down.shape[0], -1)
    if parameters["turned"]:
        product = product.T
    merged = weight + float(parameters["scaling"]) * product.reshape(weight.shape)
    if len(arrays) > 3:
        axis = 0 if parameters["turned"] else tuple(range(1, merged.ndim))
        length = np.sqrt(np.sum(np.square(merged), axis=axis, keepdims=True))
        merged = merged * arrays[3].astype(np.float64).reshape(length.shape) / length
    return np.asarray(merged)


def _dequantise(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """(q - zero point) scale / divisor; `blocks` says how many numbers along each axis have one scale."""
    stored = arrays[0].astype(np.float64)
    if "scale" in parameters:
        centred = stored - float(parameters["zero_point"])
        return np.asarray(centred * float(parameters["scale"]), np.float32)
    scale = _spread(arrays[1], parameters["blocks"], stored.shape) / float(parameters.get("divisor", 1.0))
    if len(arrays) > 2:
        stored = stored - _spread(arrays[2], parameters["blocks"], stored.shape)
    return np.asarray(stored * scale, np.float32)


def _dequantise_keras(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Keras's `quantize`: q / scale, or (q - zero) scale in groups; two codes of 4 bits share a byte.

    shape: that of the weight, where packing has flattened some of its axes.
    """
    values = _of_codes(arrays, parameters)
    return values.reshape(parameters["shape"]) if "shape" in parameters else values


def _of_codes(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    codes, columns = arrays[0], int(parameters["columns"])
    if codes.shape[-1] != columns:
        low, high = ((nibble & 0x0F) for nibble in (codes, codes >> 4))
        pairs = np.stack([(nibble ^ 8) - 8 for nibble in (low, high)], axis=-1)
        codes = pairs.reshape(*codes.shape[:-1], -1)[..., :columns]
    values = codes.astype(np.float32)
    if len(arrays) > 2:
        groups, axis = arrays[3].astype(np.int64), int(parameters["axis"])
        scale, zero = (np.take(array.astype(np.float32), groups, axis=axis) for array in arrays[1:3])
        return np.asarray((values - zero) * scale)
    return np.asarray(values / arrays[1].astype(np.float32).reshape(parameters["scale"]))


def _spread(scale: Array, blocks: Sequence[int], shape: tuple[int, ...]) -> Array:
    """One number for each element, from one for each block."""
    values = scale.astype(np.float64)
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    values = values.reshape(values.shape + (1,) * (len(shape) - values.ndim))
    for axis, block in enumerate(blocks):
        if values.shape[axis] > 1 and int(block) > 1:
            values = np.repeat(values, int(block), axis=axis)
    return np.broadcast_to(values[tuple(slice(n) for n in shape)], shape)


def _dequantised(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """The floats of an ONNX tensor of codes: reading it has applied the scale and the zero point it names."""
    return arrays[0]


def _masked(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """A pruned weight: the values that the mask keeps."""
    return np.asarray(arrays[0] * arrays[1].astype(arrays[0].dtype))


def _rotary_order(arrays: Sequence[Array], parameters: Mapping[str, Any]) -> Array:
    """Within each head of `width` along an axis: pairs side by side into halves, or halves into pairs."""
    array, axis, width = arrays[0], int(parameters["axis"]), int(parameters["width"])
    inside = (width // 2, 2) if parameters["order"] == "halves" else (2, width // 2)
    shape = array.shape
    heads = array.reshape(*shape[:axis], -1, *inside, *shape[axis + 1 :])
    return np.ascontiguousarray(np.swapaxes(heads, axis + 1, axis + 2).reshape(shape))


COMPUTATIONS: dict[str, Callable[[Sequence[Array], Mapping[str, Any]], Array]] = {
    "weight-norm": _weight_norm,
    "spectral-norm": _spectral_norm,
    "low-rank": _low_rank,
    "dequantise": _dequantise,
    "dequantised": _dequantised,
    "dequantise-keras": _dequantise_keras,
    "masked": _masked,
    "rotary-order": _rotary_order,
}
