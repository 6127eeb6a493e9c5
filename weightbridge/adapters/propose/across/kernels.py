"""Kernels and vectors taken from a layer of another architecture.

Taps cropped or padded, channels spread evenly, He variance.
"""

from collections.abc import Mapping
from typing import Any

from weightbridge.adapters.apply.layout import lengths, pattern
from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.letters import Letters, letters
from weightbridge.adapters.propose.channels import cost
from weightbridge.adapters.propose.setting import Setting
from weightbridge.adapters.propose.stems import is_stem
from weightbridge.matching.confidence import CHOSEN
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor
from weightbridge.plan import Step

AS_IT_IS = "as it stands in another architecture"
NEUTRAL = {"gamma": 1.0, "moving_variance": 1.0}
SOURCES = {
    "kernel": ("kernel", "pointwise_kernel", "depthwise_kernel"),
    "depthwise_kernel": ("depthwise_kernel", "kernel"),
    "pointwise_kernel": ("pointwise_kernel", "kernel"),
}


def kernel_step(setting: Setting, layer: Layer, tensor: Tensor, other: Layer) -> Step | None:
    """None where the two kernels have another number of taps' axes, or axes that are not known."""
    source = next((t for t in map(other.tensor, SOURCES[tensor.role]) if t is not None), None)
    ours = letters(layer, tensor)
    theirs = _aligned(letters(other, source), ours) if source else ()
    if source is None or not ours or not theirs or set(theirs) != set(ours):
        return None
    before = lengths(source.shape, theirs, ours)
    axes = {
        str(n): _rule(x, a, b)
        for n, (x, a, b) in enumerate(zip(ours, before, tensor.shape, strict=True))
        if a != b
    }
    parameters: dict[str, Any] = {"axes": axes, **_scale(setting, layer, ours)}
    if pattern(theirs, ours):
        parameters["layout"] = pattern(theirs, ours)
    return _step(tensor, (source.name,), "map-axes", parameters, cost(ours, axes))


def vector_step(tensor: Tensor, source: Tensor | None) -> Step:
    if source is None:
        value = NEUTRAL.get(tensor.role, 0.0)
        return _step(tensor, (), "fill", {"value": value}, f"{value:g}: the source has no {tensor.role} here")
    before, after = source.shape[-1], tensor.shape[-1]
    axes = {} if before == after else {"0": {"rule": "take", "from": (before,), "to": (after,)}}
    return _step(tensor, (source.name,), "map-axes", {"axes": axes}, cost(("o",), axes))


def statistic_step(tensor: Tensor, sources: tuple[str, ...], parameters: Mapping[str, Any]) -> Step:
    return _step(
        tensor,
        sources,
        "expected-statistics",
        dict(parameters),
        f"expected {parameters['statistic']} of the layer's input",
    )


def _rule(letter: str, before: int, after: int) -> Rule:
    if letter.startswith("x"):
        return {"rule": "centre", "from": before, "to": after}
    return {"rule": "share" if letter in "im" else "take", "from": (before,), "to": (after,)}


def _aligned(theirs: Letters, ours: Letters) -> Letters:
    """A depthwise kernel stands for a full one that reads a single channel, and the other way round."""
    if "c" in ours and "o" in theirs:
        return tuple({"o": "c", "i": "m"}.get(letter, letter) for letter in theirs)
    if "o" in ours and "c" in theirs:
        return tuple({"c": "o", "m": "i"}.get(letter, letter) for letter in theirs)
    return theirs


def _scale(setting: Setting, layer: Layer, ours: Letters) -> dict[str, Any]:
    """Filters that sum over channels are centred, but for the stem's: brightness is no drift."""
    if layer.op == "Dense":
        return {"rescale": "norm"}
    scale = {"rescale": "he", "out": tuple(n for n, letter in enumerate(ours) if letter in "ocm")}
    return scale if "c" in ours or is_stem(setting, layer, "i") else scale | {"centred": True}


def _step(
    tensor: Tensor, sources: tuple[str, ...], transform: str, parameters: dict[str, Any], text: str
) -> Step:
    return Step(
        target=tensor.name,
        sources=sources,
        kind="adapt" if sources else "fresh",
        contract="lossy" if sources else "fresh",
        shape=tensor.shape,
        size=tensor.size,
        transform=transform,
        parameters=parameters,
        confidence=CHOSEN,
        evidence=("stage",),
        energy_kept=None if sources else 1.0,
        cost=text or AS_IT_IS,
    )
