"""What a Keras operation is in a flow: its kind, its settings and its variables by role."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from weightbridge.formats.flow import Kind
from weightbridge.model.tensors import Array

L = keras.layers
KINDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("conv", ("Conv1D", "Conv2D", "Conv3D")),
    ("depthwise", ("DepthwiseConv1D", "DepthwiseConv2D")),
    ("separable", ("SeparableConv1D", "SeparableConv2D")),
    ("dense", ("Dense",)),
    ("batchnorm", ("BatchNormalization",)),
    ("norm", ("LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization")),
    ("concat", ("Concatenate",)),
    ("add", ("Add",)),
    ("pass", ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Identity")),
    ("pass", ("GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization")),
)
OF_CLASS: dict[str, Kind] = {name: kind for kind, names in KINDS for name in names}
POOLS = ("Pooling", "Pool", "Padding", "Cropping", "UpSampling", "Resizing", "Flatten", "Reshape")
ROLES = (
    "kernel",
    "depthwise_kernel",
    "pointwise_kernel",
    "bias",
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
)
SETTINGS = ("strides", "dilation_rate", "padding", "groups", "depth_multiplier", "epsilon", "axis")


def kind_of(
    operation: Any,
    shapes: Sequence[tuple[int, ...]],
    shape: tuple[int, ...],
    run: Callable[[Array], Array],
) -> Kind:
    """The kind by the operation's class where it is known, else by its weights and what it does to shapes.

    run: the operation on an array of its only input.
    """
    known = known_kind(operation)
    if known is not None:
        return known
    if getattr(operation, "weights", None):
        return "scale" if _is_scale(operation) else "opaque"
    return _weightless(operation, shapes, shape, run)


def known_kind(operation: Any) -> Kind | None:
    """The kind by the operation's class."""
    kind = OF_CLASS.get(type(operation).__name__)
    return kind if kind is not None and _is_read(operation, kind) else None


def _weightless(
    operation: Any,
    shapes: Sequence[tuple[int, ...]],
    shape: tuple[int, ...],
    run: Callable[[Array], Array],
) -> Kind:
    name = type(operation).__name__
    if any(part in name for part in POOLS) or len(set(shapes)) > 1 or (shapes and shapes[0] != shape):
        return "pool" if "Pool" in name else "other"
    return "pass" if len(shapes) == 1 and _is_identity(run, shape) else "elementwise"


def settings_of(operation: Any) -> dict[str, Any]:
    found = {key: getattr(operation, key) for key in SETTINGS if hasattr(operation, key)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def roles_of(operation: Any) -> dict[str, Any]:
    """Its variables by role, without those that it does not have."""
    held = ((role, getattr(operation, role, None)) for role in ROLES)
    return {role: variable for role, variable in held if isinstance(variable, keras.Variable)}


def _is_read(operation: Any, kind: Kind) -> bool:
    """Channels last, which is how arrays are read here; and weights that can be set."""
    if getattr(operation, "data_format", "channels_last") not in ("channels_last", None):
        return False
    if getattr(operation, "lora_enabled", False) or getattr(operation, "quantization_mode", None):
        return False
    return kind != "concat" or hasattr(operation, "axis")


def _is_scale(operation: Any) -> bool:
    own = [v for v in operation.variables if v.trainable]
    return len(own) == 1 and len(own[0].shape) == 1 and own[0] is roles_of(operation).get("gamma")


def _is_identity(run: Callable[[Array], Array], shape: tuple[int, ...]) -> bool:
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype("float32") * 4
    return bool(np.array_equal(run(x), x))
