"""State dicts as layers: by the scopes of names, with roles and operations from names and shapes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

ROLES: Mapping[str, str] = {
    "weight": "kernel",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "in_proj_weight": "in_proj_kernel",
}
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
    }
    | {"depthwise_kernel", "pointwise_kernel"}
)
ORDER = (
    "kernel",
    "recurrent_kernel",
    "embeddings",
    "gamma",
    "bias",
    "recurrent_bias",
    "beta",
    "moving_mean",
    "moving_variance",
)
STATE = frozenset({"num_batches_tracked", "position_ids", "seed_generator_state"})
RECURRENT = re.compile(r"(weight|bias)_(ih|hh)(_l\d+)?(_reverse)?$")
RECURRENT_ROLES = {
    ("weight", "ih"): "kernel",
    ("weight", "hh"): "recurrent_kernel",
    ("bias", "ih"): "bias",
    ("bias", "hh"): "recurrent_bias",
}
PROJECTION = re.compile(r"proj|linear|dense|fc|mapping")
GATES = {1: ("RNN", "h"), 3: ("GRU", "r z n"), 4: ("LSTM", "i f g o")}


@dataclass(frozen=True, slots=True)
class Named:
    """A tensor with the scope and the last part of its name."""

    tensor: Tensor
    scope: str
    part: str


MULTIPLIER = (
    8  # outputs of one channel: with more, the layer before is another than the one above it in the file
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of the file tells.

    width: channels of the layer before; is_turned: whether square matrices are (out, in).
    """

    width: int
    is_turned: bool


def is_state(name: str, dtype: str) -> bool:
    """Whether a stored tensor is a counter or a buffer of integers and no weight."""
    return re.split(r"[./]", name)[-1] in STATE or dtype in ("int64", "bool")


def framework_of(names: Sequence[str]) -> str:
    """`keras` where names look like `layer/kernel`, else `torch`."""
    slashed = [name for name in names if "/" in name and name.rsplit("/", 1)[-1] in KERAS_ROLES]
    return "keras" if names and len(slashed) * 2 > len(names) else "torch"


def layers_of(tensors: Sequence[Tensor], framework: str) -> tuple[Layer, ...]:
    """One layer per scope, in the order in which the scopes begin."""
    groups: dict[str, list[Named]] = {}
    for tensor in tensors:
        named = _named(tensor, framework)
        groups.setdefault(named.scope, []).append(named)
    layers: list[Layer] = []
    known = Known(
        0, _stores_turned([{m.part: m.tensor.shape for m in members} for members in groups.values()])
    )
    for scope, members in groups.items():
        layer = _layer(scope, members, framework, known)
        width = layer.attributes.get(
            "filters", layer.tensors[0].shape[0] if layer.op == "BatchNorm" else known.width
        )
        known = Known(width, known.is_turned)
        layers.append(layer)
    return tuple(layers)


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers as numbers."""
    return tuple(
        (0, int(p), p) if p.isdecimal() and p.isascii() else (1, 0, p) for p in re.split(r"(\d+)", name)
    )


def _named(tensor: Tensor, framework: str) -> Named:
    separator = "/" if framework == "keras" else "."
    scope, _, part = tensor.name.rpartition(separator)
    found = RECURRENT.match(part)
    if found:
        suffix = f"{found[3] or ''}{found[4] or ''}"
        return Named(tensor, f"{scope}.{suffix.strip('_')}".strip(".") if suffix else scope, part)
    return Named(tensor, scope, part)


def _layer(scope: str, members: Sequence[Named], framework: str, known: Known) -> Layer:
    shapes = {m.part: m.tensor.shape for m in members}
    name = scope or members[0].part
    if framework == "keras":
        op, attributes, roles = _keras(shapes)
    elif any(RECURRENT.match(part) for part in shapes):
        op, attributes, roles = _recurrent(shapes)
    else:
        op, attributes, roles = _torch(scope, shapes, known)
    tensors = sorted((_with_role(m.tensor, roles.get(m.part, m.part)) for m in members), key=_place)
    return Layer(name, op, "", attributes, tuple(tensors))


Found = tuple[str, dict[str, Any], dict[str, str]]
Shapes = Mapping[str, tuple[int, ...]]


def _torch(scope: str, shapes: Shapes, known: Known) -> Found:
    """What a module is, by the shape of its weight and what stands beside it."""
    weight, roles = shapes.get("weight"), {part: ROLES.get(part, part) for part in shapes}
    norm = {"weight": "gamma", "bias": "beta"}
    if "running_mean" in shapes or "running_var" in shapes:
        return (
            "BatchNorm",
            {"scale": "weight" in shapes, "center": "bias" in shapes, "data_format": "channels_first"},
            roles | norm,
        )
    if "in_proj_weight" in shapes:
        return "Attention", {}, roles
    if weight is None:
        op, attributes, named = _keras(shapes)
        return op, attributes | (_experts(shapes) if op == "Opaque" else {}), named
    if len(weight) == 1:
        is_prelu = shapes.keys() == {"weight"} and (weight == (1,) or "prelu" in scope.lower())
        if is_prelu:
            return "Activation", {"activation": "prelu"}, {"weight": "alpha"}
        return (
            ("LayerNorm", {"scale": True, "center": True}, roles | norm)
            if "bias" in shapes
            else ("RMSNorm", {"scale": True}, roles | norm)
        )
    if len(weight) == 2 and "bias" not in shapes and _is_table(scope):
        return (
            "Embedding",
            {"input_dim": weight[0], "output_dim": weight[1]},
            roles | {"weight": "embeddings"},
        )
    if len(weight) == 2:
        return _linear(weight, shapes.get("bias"), roles, known)
    return (
        _convolution(scope, weight, "bias" in shapes, roles, known.width)
        if 3 <= len(weight) <= 5
        else ("Opaque", {}, roles)
    )


def _experts(shapes: Shapes) -> dict[str, Any]:
    """Whether stacks of experts are (expert, out, in), by a fused gate and up beside a down projection."""
    stacks = [shape for shape in shapes.values() if len(shape) == 3]
    if len(stacks) != 2 or stacks[0][0] != stacks[1][0]:
        return {}
    told = {_fused_turned(up, down) for up, down in (stacks, stacks[::-1])} - {None}
    return {"transposed": told.pop()} if len(told) == 1 else {}


def _fused_turned(up: tuple[int, ...], down: tuple[int, ...]) -> bool | None:
    is_turned = (up[1], up[2]) == (2 * down[2], down[1])
    is_plain = (up[2], up[1]) == (2 * down[1], down[2])
    return is_turned if is_turned != is_plain else None


def _is_table(scope: str) -> bool:
    """`embed_tokens`, `embeddings.word`; not a projection of embeddings, which multiplies."""
    return "embed" in scope.lower() and not PROJECTION.search(scope.rpartition(".")[2].lower())


def _linear(
    weight: tuple[int, ...], bias: tuple[int, ...] | None, roles: dict[str, str], known: Known
) -> Found:
    """torch's Linear is (out, in), unless only the second axis fits the bias."""
    is_turned = _is_turned(weight, bias)
    is_turned = known.is_turned if is_turned is None else is_turned
    return (
        "Dense",
        {"units": weight[0 if is_turned else 1], "use_bias": bias is not None, "transposed": is_turned},
        roles,
    )


def _is_turned(weight: tuple[int, ...], bias: tuple[int, ...] | None) -> bool | None:
    """Whether a matrix is (out, in); None where its bias does not tell."""
    fits = [bias == (n,) for n in weight]
    return None if fits[0] == fits[1] else fits[0]


def _stores_turned(groups: Sequence[Shapes]) -> bool:
    """The majority of the matrices that tell; one program writes all of a file's the same way."""
    weights = [(g["weight"], g.get("bias")) for g in groups if len(g.get("weight", ())) == 2]
    told = [found for weight, bias in weights if (found := _is_turned(weight, bias)) is not None]
    return sum(told) * 2 >= len(told)


def _convolution(
    scope: str, weight: tuple[int, ...], has_bias: bool, roles: dict[str, str], width: int
) -> Found:
    found: dict[str, Any] = {"kernel_size": weight[2:], "use_bias": has_bias, "data_format": "channels_first"}
    if re.search(r"transpose|deconv", scope.lower()):
        return "ConvTranspose", found | {"filters": weight[1]}, roles
    if (
        weight[1] == 1 and width > 1 and weight[0] in range(width, (MULTIPLIER + 1) * width, width)
    ):  # a group for each channel before it
        return "DepthwiseConv", found | {"depth_multiplier": weight[0] // width, "filters": weight[0]}, roles
    return "Conv", found | {"filters": weight[0]}, roles


def _recurrent(shapes: Shapes) -> Found:
    """One layer of torch's LSTM, GRU or RNN: the recurrent weight has a row for each gate's unit."""
    roles = {part: RECURRENT_ROLES[m[1], m[2]] for part in shapes if (m := RECURRENT.match(part))}
    hidden = next((shapes[part] for part, role in roles.items() if role == "recurrent_kernel"), ())
    gates = hidden[0] // hidden[1] if len(hidden) == 2 and hidden[1] and hidden[0] % hidden[1] == 0 else 0
    op, order = GATES.get(gates, ("Opaque", ""))
    found: dict[str, Any] = (
        {"units": hidden[1], "use_bias": "bias" in roles.values(), "gates": order, "weights": "torch"}
        if order
        else {}
    )
    if op == "GRU":
        found["reset_after"] = True
    if any(part.endswith("_reverse") for part in shapes):
        found["go_backwards"] = True
    return op, found, roles


def _keras(shapes: Shapes) -> Found:
    """Roles are the names themselves; the operation follows where they leave no doubt."""
    roles = {part: part for part in shapes}
    kernel = shapes.get("kernel", ())
    rules: tuple[tuple[bool, str, Callable[[], dict[str, Any]]], ...] = (
        ("moving_mean" in shapes, "BatchNorm", dict),
        (
            "embeddings" in shapes,
            "Embedding",
            lambda: dict(zip(("input_dim", "output_dim"), shapes["embeddings"], strict=False)),
        ),
        ("gamma" in shapes and "kernel" not in shapes, "LayerNorm" if "beta" in shapes else "RMSNorm", dict),
        ("pointwise_kernel" in shapes, "SeparableConv", dict),
        ("depthwise_kernel" in shapes, "DepthwiseConv", dict),
        ("recurrent_kernel" in shapes, *_keras_recurrent(shapes)),
        (len(kernel) == 2, "Dense", lambda: {"units": kernel[1], "use_bias": "bias" in shapes}),
        (3 <= len(kernel) <= 5, *_keras_convolution(kernel, shapes.get("bias"))),
    )
    for applies, op, attributes in rules:
        if applies:
            return op, attributes(), roles
    return "Opaque", {}, roles


def _keras_convolution(
    kernel: tuple[int, ...], bias: tuple[int, ...] | None
) -> tuple[str, Callable[[], dict[str, Any]]]:
    """The bias tells which axis is written: the last one, or the one before (transposed, depthwise)."""
    found: dict[str, Any] = {"kernel_size": kernel[:-2], "use_bias": bias is not None}
    if bias is None or len(kernel) < 3 or bias == kernel[-1:]:
        return "Conv", lambda: found | {"filters": kernel[-1]}
    if bias == (kernel[-2] * kernel[-1],):
        return "DepthwiseConv", lambda: found | {"depth_multiplier": kernel[-1]}
    return (
        ("ConvTranspose", lambda: found | {"filters": kernel[-2]})
        if bias == kernel[-2:-1]
        else ("Opaque", dict)
    )


def _keras_recurrent(shapes: Shapes) -> tuple[str, Callable[[], dict[str, Any]]]:
    """The recurrent kernel has a column for each gate's unit; reset_after has two rows of biases."""
    hidden, bias = shapes.get("recurrent_kernel", ()), shapes.get("bias")
    gates = hidden[1] // hidden[0] if len(hidden) == 2 and hidden[0] and hidden[1] % hidden[0] == 0 else 0
    op = GATES.get(gates, ("Opaque", ""))[0]
    found: dict[str, Any] = {"units": hidden[0], "use_bias": bias is not None} if op != "Opaque" else {}
    return op, lambda: found | ({"reset_after": len(bias) == 2} if op == "GRU" and bias is not None else {})


def _place(tensor: Tensor) -> int:
    return ORDER.index(tensor.role) if tensor.role in ORDER else len(ORDER)


def _with_role(tensor: Tensor, role: str) -> Tensor:
    return Tensor(tensor.name, role, tensor.shape, tensor.dtype, tensor.key, tensor.load)
