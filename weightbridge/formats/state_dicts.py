"""Tensors with names alone -> LayerGraph: layers by scope; tied and quantised tensors are marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from weightbridge.diagnostics import Finding, finding, listed
from weightbridge.formats.safetensors.layers import framework_of, is_state, layers_of, natural
from weightbridge.model.graph import Edge, Excluded, Layer, LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

COMPLEX = ("complex64", "complex128")
NARROW = ("int8", "uint8", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
NARROWER = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn")
PACKED = ("qweight", "weight_packed")  # integers that hold several values each
SUFFIXES = ("_scale", "_scale_inv", "_scales", ".absmax", ".scale")  # behind the name of the quantised tensor
SIBLINGS = (
    "scale",
    "scales",
    "SCB",
    "weight_scale",
    "weight_scale_inv",
    "weights_scaling_factor",
)  # in its place


@dataclass(frozen=True, slots=True)
class StateDict:
    """What a reader has found.

    scales: a quantised tensor's name -> what it is multiplied with.
    ties: name -> the earlier tensor that it is.
    """

    tensors: tuple[Tensor, ...]
    excluded: tuple[Excluded, ...] = ()
    findings: tuple[Finding, ...] = ()
    scales: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    ties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def graph_of(path: str, format: str, producer: str, found: StateDict) -> LayerGraph:
    """The graph of a state dict; counters and integers are set apart, complex numbers refused."""
    weights = tuple(t for t in found.tensors if not is_state(t.name, t.dtype) and t.dtype not in COMPLEX)
    kept = {t.name for t in weights}
    gone = [Excluded(t.name, "state", t.size) for t in found.tensors if t.name not in kept]
    framework = framework_of([t.name for t in weights])
    scales = _scales(found) | dict(found.scales)
    layers = tuple(
        _marked(layer, scales, found.ties) for layer in layers_of(_ordered(weights, format), framework)
    )
    return LayerGraph(
        path=path,
        format=format,
        framework=framework,
        producer=producer,
        layers=with_axes(layers, framework),
        edges=tuple(Edge(a.name, b.name) for a, b in pairwise(layers)),
        has_flow=False,
        excluded=tuple(sorted((*gone, *found.excluded), key=lambda e: e.name)),
        findings=(*found.findings, *_complex(found.tensors), *_quantised(weights, scales)),
    )


def _ordered(weights: Sequence[Tensor], format: str) -> Sequence[Tensor]:
    """The order of definition, which safetensors lose: `layer.2` belongs before `layer.10`."""
    return sorted(weights, key=lambda t: natural(t.name)) if format == "safetensors" else weights


def _scales(found: StateDict) -> dict[str, str]:
    """A quantised tensor's name -> the name of the scale beside it, "" where there is none."""
    names = {t.name for t in found.tensors}
    scales: dict[str, str] = {}
    for tensor in found.tensors:
        scope, _, part = tensor.name.rpartition(".")
        if part in PACKED or tensor.dtype in (*NARROW, *NARROWER):
            places = (
                *(tensor.name + s for s in SUFFIXES),
                *(f"{scope}.{s}" if scope else s for s in SIBLINGS),
            )
            scale = next((place for place in places if place in names and place != tensor.name), "")
            if scale or part in PACKED or "float" in tensor.dtype or part == "weight":
                scales[tensor.name] = scale
    return scales


def _marked(layer: Layer, scales: Mapping[str, str], ties: Mapping[str, str]) -> Layer:
    quantised = {t.role: scales[t.name] for t in layer.tensors if t.name in scales}
    tied = {t.role: ties[t.name] for t in layer.tensors if t.name in ties}
    added: dict[str, Any] = ({"quantised": quantised} if quantised else {}) | ({"tied": tied} if tied else {})
    return replace(layer, attributes={**layer.attributes, **added}) if added else layer


def _complex(tensors: Sequence[Tensor]) -> Sequence[Finding]:
    return [
        finding(
            "WB107",
            f"{t.name}: {t.dtype} weights are not supported; left out",
            source=t.name,
            fix="Save its real and imaginary parts",
        )
        for t in tensors
        if t.dtype in COMPLEX
    ]


def _quantised(tensors: Sequence[Tensor], scales: Mapping[str, str]) -> Sequence[Finding]:
    """One finding for the file: values that are the weights only together with their scales."""
    stored = [t for t in tensors if t.name in scales]
    if not stored:
        return ()
    dtypes = ", ".join(sorted({t.dtype for t in stored}))
    named = listed([f"{t.name} ({_scale(scales[t.name])})" for t in stored], 3)
    count = "1 tensor holds" if len(stored) == 1 else f"{len(stored)} tensors hold"
    message = f"{count} quantised values ({dtypes}), the weights only times their scale: {named}"
    return [
        finding(
            "WB109",
            message,
            source=stored[0].name,
            fix="Use the checkpoint in float16, bfloat16 or float32, or dequantise it first",
        )
    ]


def _scale(scale: str) -> str:
    return scale if " " in scale else f"scale {scale}" if scale else "no scale beside it"
