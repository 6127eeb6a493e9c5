"""Integers and 8-bit floats with scales: bitsandbytes, DeepSeek, compressed-tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from weightbridge.formats.state_dicts.computed.recipes import Parts, is_plain
from weightbridge.model.tensors import Tensor

BLOCK = 128  # what DeepSeek's scales are for, in rows and columns
INT8 = 127.0  # bitsandbytes: the largest of each row
MULTIPLIED = ("weight_scale_inv", "weight_scale", "scale", "scales", "weights_scaling_factor", "scale_weight")
BEHIND = ("_scale_inv", "_scale", ".scale")
PARTS = frozenset(  # of what is packed
    {
        *("qzeros", "scales", "g_idx", "weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx"),
        *("absmax", "SCB", "weight_scale_inv", "weight_global_scale"),
    }
)
STATE = ("input_scale", "output_scale", "k_scale", "v_scale", "q_scale", "weight_format", "act_scale")


@dataclass(frozen=True, slots=True)
class Quantised:
    """The quantised tensors of a file by name: their scales in words, and as numbers where they are two."""

    scales: Mapping[str, str]
    affine: Mapping[str, tuple[float, int]] = field(default_factory=dict)


def scaled(parts: Parts, quantised: Quantised) -> None:
    """The weights of all quantised tensors whose scales are known; what is missing for the others."""
    if not quantised.scales:
        return
    for name, words in quantised.scales.items():
        tensor = None if _is_state(name) else parts.get(name)
        if tensor is not None and name in quantised.affine:
            scale, zero_point = quantised.affine[name]
            parts.make(name, "dequantise", {"scale": scale, "zero_point": zero_point}, tensor)
        elif tensor is not None:
            _with_scale(parts, tensor, name[: len(name) - len(name.rpartition(".")[2])], words)
    parts.spare |= _beside_unknown(parts) | set(filter(_is_state, parts.stored))


def _is_state(name: str) -> bool:
    """Whether it belongs to no weight: scales of activations and the like."""
    return name.rpartition(".")[2] in STATE


def _beside_unknown(parts: Parts) -> set[str]:
    """What else is stored of values that no weight can be computed from."""
    scopes = {name.rpartition(".")[0] for name in parts.unknown}
    beside = set()
    for name in parts.stored:
        scope, _, last = name.rpartition(".")
        is_behind = any(above in parts.unknown for above in _above(name))
        if is_behind or (last in PARTS and scope in scopes):
            beside.add(name)
    return beside


def _above(name: str) -> list[str]:
    """The names that a name begins with: `c.weight.absmax` -> c, c.weight."""
    words = name.split(".")
    return [".".join(words[:n]) for n in range(1, len(words))]


def _with_scale(parts: Parts, tensor: Tensor, scope: str, described: str) -> None:
    zero_point = _first(parts, [f"{tensor.name}_zero_point", f"{scope}zero_point"])
    columns = parts.get(f"{scope}SCB")
    if columns is not None and tensor.dtype == "int8" and columns.shape == tensor.shape[:1]:
        parts.make(tensor.name, "dequantise", {"divisor": INT8, "blocks": _rows(tensor)}, tensor, columns)
        return
    scale = _first(parts, [tensor.name + b for b in BEHIND] + [scope + sibling for sibling in MULTIPLIED])
    blocks = _blocks(tensor, scale)
    if scale is None or blocks is None:
        parts.unknown[tensor.name] = described
    elif zero_point is None:
        parts.make(tensor.name, "dequantise", {"blocks": blocks}, tensor, scale)
    elif zero_point.shape in (scale.shape, ()):
        parts.make(tensor.name, "dequantise", {"blocks": blocks}, tensor, scale, zero_point)
    else:
        parts.unknown[tensor.name] = f"a zero point of shape {zero_point.shape}"


def _is_packed(tensor: Tensor) -> bool:
    """Whether one number holds several values."""
    is_whole = tensor.dtype in ("int8", "uint8") or tensor.dtype.startswith("float8")
    return not is_whole or tensor.name.rpartition(".")[2] in ("qweight", "weight_packed")


def _first(parts: Parts, names: list[str]) -> Tensor | None:
    return next((tensor for name in names if (tensor := parts.get(name)) is not None), None)


def _rows(tensor: Tensor) -> list[int]:
    """One number for each row."""
    return [1, *tensor.shape[1:]]


def _blocks(tensor: Tensor, scale: Tensor | None) -> list[int] | None:
    """How many numbers along each axis have one scale; None where the shapes do not tell."""
    if scale is None or not is_plain(scale.dtype) or _is_packed(tensor):
        return None
    if scale.size == 1:
        return list(tensor.shape)
    if scale.shape == tensor.shape[:1]:
        return _rows(tensor)
    if len(scale.shape) != len(tensor.shape):
        return None
    blocks = [_block(n, count) for n, count in zip(tensor.shape, scale.shape, strict=True)]
    return None if None in blocks else [block for block in blocks if block is not None]


def _block(length: int, count: int) -> int | None:
    if count and ceil(length / BLOCK) == count and length > BLOCK:
        return BLOCK
    if count == 1:
        return length
    return length // count if count and length % count == 0 else None
