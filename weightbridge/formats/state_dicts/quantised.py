"""Quantised tensors of a state dict, and the scales that stand beside them."""

from collections.abc import Container, Sequence

from weightbridge.model.tensors import Tensor

NARROW = ("int8", "uint8", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
NARROWER = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")
PACKED = ("qweight", "weight_packed")  # integers that hold several values each
SUFFIXES = ("_scale", "_scale_inv", "_scales", ".absmax", ".scale")  # behind the name of the quantised tensor
# in its place
SIBLINGS = ("scale", "scales", "SCB", "weight_scale", "weight_scale_inv", "weights_scaling_factor")


def scales_of(tensors: Sequence[Tensor]) -> dict[str, str]:
    """A quantised tensor's name -> the name of the scale beside it, "" where there is none.

    Plain bytes without a scale are no weights that were quantised.
    """
    names = {tensor.name for tensor in tensors}
    scales: dict[str, str] = {}
    for tensor in tensors:
        scale = _scale_beside(tensor.name, names)
        if _may_be_quantised(tensor) and (scale or _is_quantised(tensor)):
            scales[tensor.name] = scale
    return scales


def _part(tensor: Tensor) -> str:
    return tensor.name.rpartition(".")[2]


def _may_be_quantised(tensor: Tensor) -> bool:
    return _part(tensor) in PACKED or tensor.dtype in (*NARROW, *NARROWER)


def _is_quantised(tensor: Tensor) -> bool:
    """Whether it is so even without a scale."""
    return "float" in tensor.dtype or _part(tensor) in (*PACKED, "weight")


def _scale_beside(name: str, names: Container[str]) -> str:
    """The name of a tensor's scale, "" where there is none."""
    scope = name.rpartition(".")[0]
    prefix = f"{scope}." if scope else ""
    behind = [name + suffix for suffix in SUFFIXES]
    siblings = [prefix + sibling for sibling in SIBLINGS]
    for place in (*behind, *siblings):
        if place in names and place != name:
            return place
    return ""
