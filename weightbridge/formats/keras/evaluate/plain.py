"""Dense layers, norms, embeddings, merges, and what only moves its input."""

from functools import reduce
from typing import Any

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.architecture.activations import layer_activation
from weightbridge.formats.keras.evaluate.values import (
    Function,
    Given,
    activated,
    as_given,
    channels_last,
    finished,
    numbers,
)
from weightbridge.model.tensors import Array


def dense(given: Given) -> Array:
    return finished(given, given.x @ given.weight("kernel"))


def einsum_dense(given: Given) -> Array:
    return finished(given, np.einsum(given.config["equation"], given.x, given.weight("kernel")))


def embedding(given: Given) -> Array:
    return np.take(given.weight("embeddings"), given.x.astype(np.int64), axis=0)


def batch_norm(given: Given) -> Array:
    axis = given.config.get("axis", -1)
    shape = _along(given.x, axis[0] if isinstance(axis, list) else axis)
    values = {role: array.reshape(shape) for role, array in given.weights.items()}
    scale = values.get("gamma", 1.0) / np.sqrt(values["moving_variance"] + given.config.get("epsilon", 1e-3))
    return np.asarray((given.x - values["moving_mean"]) * scale + values.get("beta", 0.0))


def layer_norm(given: Given) -> Array:
    axis = given.config.get("axis", -1)
    axes = tuple(a % given.x.ndim for a in (axis if isinstance(axis, list) else [axis]))
    shape = tuple(n if i in axes else 1 for i, n in enumerate(given.x.shape))
    centred = given.x - given.x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    normal = centred / np.sqrt(variance + given.config.get("epsilon", 1e-3))
    values = {role: array.reshape(shape) for role, array in given.weights.items()}
    return np.asarray(normal * values.get("gamma", 1.0) + values.get("beta", 0.0))


def activation_layer(given: Given) -> Array:
    told = layer_activation(given.class_name, given.config)
    assert told is not None, given.class_name
    return activated(given.x, told)


def group_norm(given: Given) -> Array:
    axis, groups = int(given.config.get("axis", -1)) % given.x.ndim, int(given.config["groups"])
    x = np.moveaxis(given.x, axis, -1)
    groups = x.shape[-1] if groups == -1 else groups
    parted = x.reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
    centred = parted - parted.mean(axis=(1, 3), keepdims=True)
    variance = np.square(centred).mean(axis=(1, 3), keepdims=True)
    normal = (centred / np.sqrt(variance + given.config.get("epsilon", 1e-3))).reshape(x.shape)
    found = normal * given.weights.get("gamma", 1.0) + given.weights.get("beta", 0.0)
    return np.moveaxis(np.asarray(found), -1, axis)


def unit_norm(given: Given) -> Array:
    axis = given.config.get("axis", -1)
    axes = tuple(axis) if isinstance(axis, list | tuple) else (int(axis),)
    total = np.square(given.x).sum(axis=axes, keepdims=True)
    return np.asarray(given.x / np.sqrt(np.maximum(total, 1e-12)))


def prelu(given: Given) -> Array:
    return np.where(given.x >= 0, given.x, given.x * given.weight("alpha"))


def merged(given: Given) -> Array:
    match given.class_name:
        case "Subtract":
            return given.inputs[0] - given.inputs[1]
        case "Concatenate":
            return np.concatenate(list(given.inputs), axis=int(given.config.get("axis", -1)))
        case "Average":
            return reduce(np.add, given.inputs) / len(given.inputs)
    return np.asarray(reduce(MERGES[given.class_name], given.inputs))


def dot(given: Given) -> Array:
    axes = given.config["axes"]
    a, b = given.inputs
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    first, second = pair[0] % a.ndim, pair[1] % b.ndim
    if given.config.get("normalize"):
        a, b = (_unit(x, axis) for x, axis in ((a, first), (b, second)))
    a, b = np.moveaxis(a, first, -1), np.moveaxis(b, second, 1)
    product = a.reshape(a.shape[0], -1, a.shape[-1]) @ b.reshape(b.shape[0], b.shape[1], -1)
    shape = (*a.shape[:-1], *b.shape[2:])
    return np.asarray(product.reshape(shape if len(shape) > 1 else (*shape, 1)))


def flatten(given: Given) -> Array:
    x = channels_last(given, given.x) if given.x.ndim > 2 else given.x
    return x.reshape(x.shape[0], -1)


def reshape(given: Given) -> Array:
    return given.x.reshape(given.x.shape[0], *given.config["target_shape"])


def permute(given: Given) -> Array:
    return np.transpose(given.x, (0, *given.config["dims"]))


def repeat(given: Given) -> Array:
    return np.repeat(given.x[:, np.newaxis], int(given.config["n"]), axis=1)


def bordered(given: Given) -> Array:
    """ZeroPadding and Cropping."""
    x = channels_last(given, given.x)
    told = given.config.get("padding", given.config.get("cropping"))
    count = x.ndim - 2
    pairs = [told] if count == 1 else told if isinstance(told, list | tuple) else [told] * count
    borders = [(one, one) if isinstance(one, int) else (int(one[0]), int(one[1])) for one in pairs]
    if given.class_name.startswith("Zero"):
        return as_given(given, np.pad(x, [(0, 0), *borders, (0, 0)]))
    runs = (slice(a, n - b) for (a, b), n in zip(borders, x.shape[1:-1], strict=True))
    return as_given(given, x[(slice(None), *runs)])


def upsampled(given: Given) -> Array:
    if given.config.get("interpolation", "nearest") != "nearest":
        raise RunError("only the nearest pixel is known here")
    x = channels_last(given, given.x)
    for axis, times in enumerate(numbers(given.config["size"], x.ndim - 2)):
        x = np.repeat(x, times, axis=axis + 1)
    return as_given(given, x)


def rescaled(given: Given) -> Array:
    return np.asarray(given.x * np.asarray(given.config["scale"]) + np.asarray(given.config.get("offset", 0)))


def normalized(given: Given) -> Array:
    mean, variance = (given.weights.get(r, given.config.get(r)) for r in ("mean", "variance"))
    if mean is None or variance is None:
        raise RunError("the Normalization has no mean and variance")
    deviation = np.maximum(np.sqrt(np.asarray(variance)), 1e-7)
    return np.asarray((given.x - np.asarray(mean)) / deviation)


def masked(given: Given) -> Array:
    """Masked steps are zero."""
    kept = np.any(given.x != given.config.get("mask_value", 0.0), axis=-1, keepdims=True)
    return np.where(kept, given.x, 0)


def unchanged(given: Given) -> Array:
    return given.x


def _along(x: Array, axis: int) -> tuple[int, ...]:
    return tuple(-1 if i == axis % x.ndim else 1 for i in range(x.ndim))


def _unit(x: Array, axis: int) -> Array:
    length = np.sqrt(np.maximum(np.square(x).sum(axis=axis, keepdims=True), 1e-12))
    return np.asarray(x / length)


MERGES: dict[str, Any] = {
    "Add": np.add,
    "Multiply": np.multiply,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}
IDLE = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity", "InputLayer"),
    *("TimeDistributed", "RNN", "StackedRNNCells", "RandomFlip", "RandomRotation", "RandomZoom"),
    *("RandomTranslation", "RandomContrast", "RandomBrightness", "RandomHeight", "RandomWidth"),
)
FUNCTIONS: dict[str, Function] = {
    "Dense": dense,
    "EinsumDense": einsum_dense,
    "Embedding": embedding,
    **dict.fromkeys(("BatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization"), batch_norm),
    "LayerNormalization": layer_norm,
    "GroupNormalization": group_norm,
    "UnitNormalization": unit_norm,
    **dict.fromkeys(
        ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU"), activation_layer
    ),
    "PReLU": prelu,
    **dict.fromkeys((*MERGES, "Subtract", "Average", "Concatenate"), merged),
    "Dot": dot,
    "Flatten": flatten,
    "Reshape": reshape,
    "Permute": permute,
    "RepeatVector": repeat,
    **{f"{kind}{n}D": bordered for kind in ("ZeroPadding", "Cropping") for n in "123"},
    **{f"UpSampling{n}D": upsampled for n in "123"},
    "Rescaling": rescaled,
    "Normalization": normalized,
    "Masking": masked,
    **dict.fromkeys(IDLE, unchanged),
}
