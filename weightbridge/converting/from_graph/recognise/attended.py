"""Attention without projections: softmax(query key^T) value, or with scores by sums of tanh.

Keras's Attention and AdditiveAttention; what stands within a MultiHeadAttention is left to that.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from weightbridge.converting.from_graph.attention.find import attentions
from weightbridge.converting.from_graph.recognise.pattern import Edit, Is, Match, edited, matched
from weightbridge.converting.from_graph.source.used import used_layers
from weightbridge.model.graph import Layer, LayerGraph

HIDDEN = -1e9  # what Keras puts in the place of a score that does not count
BY_PRODUCT = Is("MatMul", ("query", Is("Permute", ("key",), "turn")))
SUMS = Is("Add", (Is("Unsqueeze", ("query",), "rows"), Is("Unsqueeze", ("key",), "columns")))
BENT = Is("Activation", (SUMS,), "bend")
ADDED = Is("ReduceSum", (BENT,), "sum")
SCALED = Is("ReduceSum", (Is("Scale", (BENT,), "scale"),), "sum")
SCORES = {"dot": BY_PRODUCT, "additive": ADDED, "scaled": SCALED}
FEATURES, QUERIES, KEYS = 3, 2, 1  # axes


def attended(graph: LayerGraph) -> LayerGraph:
    if not any(layer.class_name == "Softmax" for layer in graph.layers):
        return graph
    used = used_layers(graph)
    taken = {name for found in attentions(graph, used) for name in found.inner}
    return edited(graph, _found(graph, taken))


def _found(graph: LayerGraph, taken: set[str]) -> Iterator[Edit]:
    for layer in graph.layers:
        if layer.class_name != "MatMul" or layer.name in taken or len(layer.output_shape or ()) != QUERIES:
            continue
        for mode, scores in SCORES.items():
            found = _match(graph, layer, scores)
            if found is not None and _fits(found, mode):
                yield _edit(layer, found, mode)
                break


def _match(graph: LayerGraph, layer: Layer, scores: Is) -> Match | None:
    """With the scores as they are, or where they are masked."""
    masked = Is("Where", (scores,), "mask")
    wanted = (Is("MatMul", (Is("Softmax", (one,), "softmax"), "value")) for one in (scores, masked))
    return next((found for one in wanted if (found := matched(graph, layer, one)) is not None), None)


def _fits(found: Match, mode: str) -> bool:
    layers = found.layers
    is_last = layers["softmax"].settings.get("axis") in (-1, 2) and _is_causal(layers.get("mask"))
    if mode == "dot":
        return is_last and layers["turn"].settings.get("order") == (2, 1)
    axes = [layers[name].settings.get("axes") for name in ("rows", "columns", "sum")]
    is_bent = layers["bend"].settings.get("activation") == "tanh"
    is_gone = not layers["sum"].settings.get("keepdims", True)
    scale = layers.get("scale")
    is_by_feature = scale is None or scale.settings.get("axis") in (-1, FEATURES)
    return is_last and axes == [(2,), (1,), (FEATURES,)] and is_bent and is_gone and is_by_feature


def _is_causal(mask: Layer | None) -> bool:
    """Whether a mask, where there is one, is that no key is later than its query, as Keras says it."""
    if mask is None:
        return True
    told: Any = mask.settings.get("condition")
    if not isinstance(told, tuple) or mask.settings.get("y") != HIDDEN:
        return False
    shown = np.asarray(told, bool)
    shown = shown.reshape(shown.shape[-2:]) if shown.size == np.prod(shown.shape[-2:]) else shown
    return shown.ndim == 2 and bool((shown == np.tril(np.ones_like(shown))).all())


def _edit(layer: Layer, found: Match, mode: str) -> Edit:
    scale = found.layers.get("scale")
    told = {"is_causal": "mask" in found.layers, "mode": mode}
    tensors = scale.tensors if scale is not None else ()
    made = Layer(layer.name, "Opaque", "AttentionAlone", told, tensors, layer.output_shape)
    return Edit(made, tuple((found.values[name], name) for name in ("query", "value", "key")))
