"""Tensors with names alone -> LayerGraph: layers by scope; tied and quantised tensors are marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from weightbridge.errors.diagnostics import Finding, finding
from weightbridge.formats.state_dicts.adapter_config import low_rank_of
from weightbridge.formats.state_dicts.asked import Asked
from weightbridge.formats.state_dicts.computed import Quantised, computed
from weightbridge.formats.state_dicts.head_width import head_width
from weightbridge.formats.state_dicts.layers import is_state, layers_of, natural
from weightbridge.formats.state_dicts.quantised import scales_of
from weightbridge.formats.state_dicts.scopes import framework_of
from weightbridge.model.graph import Edge, Excluded, Layer, LayerGraph, Order
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

COMPLEX = ("complex64", "complex128")


@dataclass(frozen=True, slots=True)
class StateDict:
    """What a reader has found.

    scales: a quantised tensor's name -> what it is multiplied with.
    affine: a quantised tensor's name -> its scale and zero point, where they are two numbers.
    ties: name -> the earlier tensor that it is.
    """

    tensors: tuple[Tensor, ...]
    excluded: tuple[Excluded, ...] = ()
    findings: tuple[Finding, ...] = ()
    scales: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    affine: Mapping[str, tuple[float, int]] = field(default_factory=lambda: MappingProxyType({}))
    ties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def graph_of(
    path: str, format: str, producer: str, state: StateDict, asked: Asked | None = None
) -> LayerGraph:
    """The graph of a state dict; counters and integers are set apart, complex numbers refused.

    Where weights are computed from several tensors, `effective` is the graph of what comes out.
    """
    scales = scales_of(state.tensors) | dict(state.scales)
    known = low_rank_of(Path(path), asked or Asked())
    computation = computed(state.tensors, Quantised(scales, state.affine), known)
    findings = (*state.findings, *_complex(state.tensors), *computation.findings)
    head = LayerGraph(path, format, "torch", producer, order=_order(format), findings=findings)
    head = replace(head, head_width=head_width(Path(path), state.tensors))
    stored = _with_layers(head, state, scales)
    if not computation.is_needed:
        return stored
    apart = [Excluded(tensor.name, "state", tensor.size) for tensor in computation.excluded]
    kept = replace(state, tensors=computation.tensors, excluded=(*state.excluded, *apart))
    return replace(stored, effective=_with_layers(head, kept, {}))


def _order(format: str) -> Order:
    return "names" if format == "safetensors" else "none"


def _with_layers(head: LayerGraph, state: StateDict, scales: Mapping[str, str]) -> LayerGraph:
    weights = tuple(tensor for tensor in state.tensors if _is_weight(tensor))
    no_weights = [Excluded(t.name, "state", t.size) for t in state.tensors if not _is_weight(t)]
    excluded = sorted((*no_weights, *state.excluded), key=lambda tensor: tensor.name)
    framework = framework_of([t.name for t in weights], [len(t.shape) for t in weights])
    layers = layers_of(_ordered(weights, head.format), framework)
    marked = tuple(_marked(layer, scales, state.ties) for layer in layers)
    return replace(
        head,
        framework=framework,
        layers=with_axes(marked, framework),
        edges=tuple(Edge(layer.name, after.name) for layer, after in pairwise(marked)),
        excluded=tuple(excluded),
    )


def _is_weight(tensor: Tensor) -> bool:
    return tensor.dtype not in COMPLEX and not is_state(tensor.name, tensor.dtype)


def _ordered(weights: Sequence[Tensor], format: str) -> Sequence[Tensor]:
    """The order of definition, which safetensors lose: `layer.2` belongs before `layer.10`."""
    if format != "safetensors":
        return weights
    return sorted(weights, key=lambda tensor: natural(tensor.name))


def _marked(layer: Layer, scales: Mapping[str, str], ties: Mapping[str, str]) -> Layer:
    """The layer with the roles that are quantised or tied."""
    quantised = _by_role(layer, scales)
    tied = _by_role(layer, ties)
    attributes = dict(layer.attributes)
    if quantised:
        attributes["quantised"] = quantised
    if tied:
        attributes["tied"] = tied
    return replace(layer, attributes=attributes) if quantised or tied else layer


def _by_role(layer: Layer, values: Mapping[str, str]) -> dict[str, str]:
    return {tensor.role: values[tensor.name] for tensor in layer.tensors if tensor.name in values}


def _complex(tensors: Sequence[Tensor]) -> Sequence[Finding]:
    return [_unsupported(tensor) for tensor in tensors if tensor.dtype in COMPLEX]


def _unsupported(tensor: Tensor) -> Finding:
    return finding(
        "WB107",
        f"{tensor.name}: {tensor.dtype} weights are not supported; left out",
        source=tensor.name,
        fix="Save its real and imaginary parts",
    )
