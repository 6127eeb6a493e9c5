"""Tensors that several layers read: layers that are called again, and constants that exporters merged."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import field, replace
from typing import Any

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.values import Value
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

UNTIED = "equal constants that the exporter had merged are variables of their own"
UNTIED_KERNELS = "weights that the source's layers share in part are variables of their own"
IDLE = frozenset({"tied", "shared_with", "parts", "branch", "data_format"})


@dataclass(frozen=True)
class Sharing:
    """tensors: each layer's by role, those of other layers too.

    called_again: the first layer of a further call. untied: a sentence, and the layers that it is about.
    made: the layers written so far, by the source's name. attentions: the same by their projections.
    tables: Embeddings of fixed numbers, by their tensors. looked_up: what these give, by both.
    """

    tensors: Mapping[str, Mapping[str, Tensor]]
    called_again: Mapping[str, str]
    untied: Mapping[str, tuple[str, ...]]
    made: dict[str, str] = field(default_factory=dict)
    attentions: dict[tuple[str, ...], str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    looked_up: dict[tuple[Any, ...], Value] = field(default_factory=dict)

    def firsts(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each layer, or the one that it calls again."""
        return tuple(self.called_again.get(name, name) for name in names)

    def is_apart(self, names: Set[str]) -> bool:
        """Whether no layer of these is called again by another, nor calls another again."""
        return all((again in names) == (first in names) for again, first in self.called_again.items())

    def within(self, names: Set[str]) -> "Sharing":
        """The same among these layers alone."""
        again = {name: first for name, first in self.called_again.items() if name in names}
        return Sharing(self.tensors, again, {})


def sharing_of(graph: LayerGraph) -> Sharing:
    tensors: dict[str, dict[str, Tensor]] = {}
    again: dict[str, str] = {}
    untied: dict[str, list[str]] = {}
    for layer in graph.layers:
        whole = _with_tied(layer, graph)
        tensors[layer.name] = {tensor.role: tensor for tensor in whole.tensors}
        first = _first_call(layer, graph, tensors)
        if first is not None:
            again[layer.name] = first
        elif layer.attributes.get("tied"):
            has_kernel = any(
                len(graph.tensor_by_name[n].shape) > 1 for n in layer.attributes["tied"].values()
            )
            untied.setdefault(UNTIED_KERNELS if has_kernel else UNTIED, []).append(layer.name)
    return Sharing(tensors, again, {sentence: tuple(names) for sentence, names in untied.items()})


def _with_tied(layer: Layer, graph: LayerGraph) -> Layer:
    """The layer with the tensors that belong to earlier ones, each in its own role."""
    tied: Mapping[str, str] = layer.attributes.get("tied") or {}
    if not tied:
        return layer
    others = (replace(graph.tensor_by_name[name], role=role) for role, name in tied.items())
    (found,) = with_axes([replace(layer, tensors=(*layer.tensors, *others))], graph.framework)
    return found


def _first_call(layer: Layer, graph: LayerGraph, tensors: Mapping[str, Mapping[str, Tensor]]) -> str | None:
    """The layer that this one calls again: it has the same kernel, the same settings and all its tensors."""
    first = graph.by_name.get(str(layer.attributes.get("shared_with")))
    if first is None or _kind(first) != _kind(layer):
        return None
    own, others = tensors[layer.name], tensors[first.name]
    is_same = {role: t.name for role, t in own.items()} == {role: t.name for role, t in others.items()}
    is_one = any(len(tensor.shape) > 1 or _is_told_apart(tensor) for tensor in own.values())
    return first.name if is_same and is_one and _settings(layer) == _settings(first) else None


def _kind(layer: Layer) -> str:
    """A sum and a product with one table are both of no canonical op."""
    return layer.class_name if layer.op == "Opaque" else layer.op


def _is_told_apart(tensor: Tensor) -> bool:
    """Whether it has several numbers: exporters merge those of fresh norms, which are all ones or zeros."""
    values = np.asarray(tensor.load())
    return values.size > 1 and bool((values != values.flat[0]).any())


def _settings(layer: Layer) -> dict[str, object]:
    return {key: value for key, value in layer.attributes.items() if key not in IDLE}
