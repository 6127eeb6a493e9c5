"""What a Keras layer in a state dict is: roles are the names themselves, shapes tell the operation."""

from typing import Any

from weightbridge.formats.state_dicts.modules import Module, Shape, Shapes, gates_of

KERAS_ROLES = frozenset(
    {
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "embeddings",
        "recurrent_kernel",
        "alpha",
        "depthwise_kernel",
        "pointwise_kernel",
    }
)
FLAX_ROLES = {"scale": "gamma", "embedding": "embeddings", "mean": "moving_mean", "var": "moving_variance"}
CONVOLUTIONS = (3, 4, 5)  # axes of their kernels
Operation = tuple[str, dict[str, Any]]


def keras_module(shapes: Shapes) -> Module:
    """The operation where names and shapes leave no doubt, else Opaque."""
    op, attributes = _by_marks(shapes) or _by_kernel(shapes)
    return Module(op, attributes, {part: part for part in shapes})


def flax_module(shapes: Shapes) -> Module:
    """The same where the roles may have Flax's names."""
    roles = {part: FLAX_ROLES.get(part, part) for part in shapes}
    if "gamma" in roles.values() and "kernel" not in shapes and "bias" in shapes:
        roles["bias"] = "beta"
    if len(set(roles.values())) < len(roles):
        return keras_module(shapes)
    by_role = {roles[part]: shape for part, shape in shapes.items()}
    return keras_module(by_role)._replace(roles=roles)


def _by_marks(shapes: Shapes) -> Operation | None:
    """The operation where a variable stands for it."""
    if "moving_mean" in shapes:
        return "BatchNorm", {}
    if "embeddings" in shapes:
        return "Embedding", dict(zip(("input_dim", "output_dim"), shapes["embeddings"], strict=False))
    if "gamma" in shapes and "kernel" not in shapes:
        return "LayerNorm" if "beta" in shapes else "RMSNorm", {}
    if "pointwise_kernel" in shapes:
        return "SeparableConv", {}
    if "depthwise_kernel" in shapes:
        return "DepthwiseConv", {}
    return _recurrent(shapes) if "recurrent_kernel" in shapes else None


def _recurrent(shapes: Shapes) -> Operation:
    """The recurrent kernel has a column for each gate's unit; reset_after has two rows of biases."""
    hidden, bias = shapes["recurrent_kernel"], shapes.get("bias")
    op, _ = gates_of(*hidden) if len(hidden) == 2 else gates_of(0, 0)
    attributes: dict[str, Any] = {}
    if op != "Opaque":
        attributes = {"units": hidden[0], "use_bias": bias is not None}
    if op == "GRU" and bias is not None:
        attributes["reset_after"] = len(bias) == 2
    return op, attributes


def _by_kernel(shapes: Shapes) -> Operation:
    kernel, bias = shapes.get("kernel", ()), shapes.get("bias")
    if len(kernel) == 2:
        return "Dense", {"units": kernel[1], "use_bias": bias is not None}
    if len(kernel) in CONVOLUTIONS:
        return _convolution(kernel, bias)
    return "Opaque", {}


def _convolution(kernel: Shape, bias: Shape | None) -> Operation:
    """The bias tells which axis is written: the last one, or the one before (transposed, depthwise)."""
    *window, before, last = kernel
    attributes: dict[str, Any] = {"kernel_size": tuple(window), "use_bias": bias is not None}
    if bias is None or bias == (last,):
        return "Conv", attributes | {"filters": last}
    if bias == (before * last,):
        return "DepthwiseConv", attributes | {"depth_multiplier": last}
    if bias == (before,):
        return "ConvTranspose", attributes | {"filters": before}
    return "Opaque", {}
