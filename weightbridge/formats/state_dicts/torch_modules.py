"""What a torch module is, by the shape of its weight and what stands beside it."""

import re
from collections.abc import Mapping
from typing import Any

from weightbridge.formats.state_dicts.keras_layers import keras_module
from weightbridge.formats.state_dicts.modules import Known, Module, Shape, Shapes, is_turned

ROLES: Mapping[str, str] = {
    "weight": "kernel",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "in_proj_weight": "in_proj_kernel",
}
NORM_ROLES = {"weight": "gamma", "bias": "beta"}
PROJECTION = re.compile(r"proj|linear|dense|fc|mapping")
TRANSPOSED = re.compile(r"transpose|deconv")
CONVOLUTIONS = (3, 4, 5)  # axes of their weights
MULTIPLIER = 8  # outputs of one channel: with more, the layer before is not the one above it in the file


def torch_module(scope: str, shapes: Shapes, known: Known) -> Module:
    """The operation of a scope, its attributes, and the roles of its parts."""
    weight = shapes.get("weight")
    roles = {part: ROLES.get(part, part) for part in shapes}
    if "running_mean" in shapes or "running_var" in shapes:
        return _batch_norm(shapes, roles)
    if "in_proj_weight" in shapes:
        return Module("Attention", {}, roles)
    if weight is None:
        return _without_weight(shapes)
    if len(weight) == 1:
        return _vector(scope, shapes, roles)
    if len(weight) == 2:
        return _matrix(scope, shapes, roles, known)
    if len(weight) in CONVOLUTIONS:
        return _convolution(scope, shapes, roles, known.width)
    return Module("Opaque", {}, roles)


def _batch_norm(shapes: Shapes, roles: dict[str, str]) -> Module:
    attributes = {"scale": "weight" in shapes, "center": "bias" in shapes, "data_format": "channels_first"}
    return Module("BatchNorm", attributes, roles | NORM_ROLES)


def _without_weight(shapes: Shapes) -> Module:
    module = keras_module(shapes)
    if module.op != "Opaque":
        return module
    return module._replace(attributes=module.attributes | _experts(shapes))


def _experts(shapes: Shapes) -> dict[str, Any]:
    """Whether stacks of experts are (expert, out, in), by a fused gate and up beside a down projection."""
    stacks = [shape for shape in shapes.values() if len(shape) == 3]
    if len(stacks) != 2 or stacks[0][0] != stacks[1][0]:
        return {}
    first, second = stacks
    told = {_is_fused_turned(first, second), _is_fused_turned(second, first)} - {None}
    return {"transposed": told.pop()} if len(told) == 1 else {}


def _is_fused_turned(up: Shape, down: Shape) -> bool | None:
    """Whether both are (expert, out, in); None where they do not tell."""
    _, up_first, up_last = up
    _, down_first, down_last = down
    is_out_in = up_first == 2 * down_last and up_last == down_first
    is_in_out = up_last == 2 * down_first and up_first == down_last
    return None if is_out_in == is_in_out else is_out_in


def _vector(scope: str, shapes: Shapes, roles: dict[str, str]) -> Module:
    """A PReLU's slopes, or the scale of a norm."""
    may_be_slopes = shapes["weight"] == (1,) or "prelu" in scope.lower()
    if may_be_slopes and shapes.keys() == {"weight"}:
        return Module("Activation", {"activation": "prelu"}, {"weight": "alpha"})
    if "bias" in shapes:
        return Module("LayerNorm", {"scale": True, "center": True}, roles | NORM_ROLES)
    return Module("RMSNorm", {"scale": True}, roles | NORM_ROLES)


def _matrix(scope: str, shapes: Shapes, roles: dict[str, str], known: Known) -> Module:
    """A table, or a Linear, which is (out, in) unless only the second axis fits the bias."""
    weight, bias = shapes["weight"], shapes.get("bias")
    if bias is None and _is_table(scope):
        attributes = {"input_dim": weight[0], "output_dim": weight[1]}
        return Module("Embedding", attributes, roles | {"weight": "embeddings"})
    told = is_turned(weight, bias)
    is_out_in = known.is_turned if told is None else told
    units = weight[0 if is_out_in else 1]
    return Module("Dense", {"units": units, "use_bias": bias is not None, "transposed": is_out_in}, roles)


def _is_table(scope: str) -> bool:
    """`embed_tokens`, `embeddings.word`; not a projection of embeddings, which multiplies."""
    last = scope.rpartition(".")[2]
    return "embed" in scope.lower() and not PROJECTION.search(last.lower())


def _convolution(scope: str, shapes: Shapes, roles: dict[str, str], width: int) -> Module:
    outputs, inputs, *window = shapes["weight"]
    attributes: dict[str, Any] = {
        "kernel_size": tuple(window),
        "use_bias": "bias" in shapes,
        "data_format": "channels_first",
    }
    if TRANSPOSED.search(scope.lower()):
        return Module("ConvTranspose", attributes | {"filters": inputs}, roles)
    if inputs == 1 and _has_group_for_each(width, outputs):
        multiplier = {"depth_multiplier": outputs // width, "filters": outputs}
        return Module("DepthwiseConv", attributes | multiplier, roles)
    return Module("Conv", attributes | {"filters": outputs}, roles)


def _has_group_for_each(width: int, outputs: int) -> bool:
    """Whether the outputs can be a few of each channel before them."""
    if width <= 1:
        return False
    most = MULTIPLIER * width
    return outputs % width == 0 and width <= outputs <= most
