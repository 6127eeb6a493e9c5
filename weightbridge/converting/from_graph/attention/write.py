"""An attention as MultiHeadAttention, its projections in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from math import sqrt
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.arrange import arranged
from weightbridge.converting.from_graph.attention.find import Attention, Path
from weightbridge.converting.from_graph.attention.heads import (
    Heads,
    heads_of,
    query_is_left,
    scores,
    weighted,
)
from weightbridge.converting.from_graph.attention.masking import (
    Placed,
    masking,
    needs_scores,
    refuse_others,
)
from weightbridge.converting.from_graph.attention.masks import ValueOf, again, allowed
from weightbridge.converting.from_graph.attention.trace import (
    NO_ATTENTION,
    factor_of,
    followed,
    start,
    viewed,
)
from weightbridge.converting.from_graph.attention.weights import (
    Weights,
    last_projection,
    projection,
    put,
)
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layers.dense import with_features
from weightbridge.converting.from_graph.layout import Layout
from weightbridge.converting.from_graph.source.constants import CARRIED
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer

ATTENTION = "products around a softmax are MultiHeadAttention, with the projections before and behind them"
SEPARATORS = re.compile(r"([./])")


@dataclass(frozen=True, slots=True)
class Projected:
    """What one projection reads, as Keras has it, and its heads at the product."""

    layer: Layer
    value: Value
    heads: Heads


def written(call: Call, attention: Attention, value_of: ValueOf) -> Value:
    """call: of the last projection. value_of: what comes along an edge.

    Raises Unsupported where the pieces are no attention as Keras has it; nothing is written then.
    """
    edges = {name: call.source.edges_into[name][0] for name in attention.projections}
    fed = {name: value_of(edge) for name, edge in edges.items()}
    left = _projected(call, attention.left, fed, is_transposed=False)
    right = _projected(call, attention.right, fed, is_transposed=True)
    value = _projected(call, attention.value, fed, is_transposed=False)
    layout, scale, masks = _scored(call, attention, scores(left.heads, right.heads), value_of)
    is_left = query_is_left(layout)
    guard = again(call, call.source.by_name[attention.guard[-1]], value_of) if attention.guard else None
    refuse_others(guard, masks)
    rate = _rate(call, attention.between)
    has_scores = needs_scores(masks, guard, has_guard=bool(attention.guard), rate=rate)
    layout, _ = _through(call, attention.between.layers, layout)
    layout, _ = _through(call, attention.behind.layers, weighted(layout, value.heads, is_left=is_left))
    order = _order(layout, value.heads)
    query, key = (left, right) if is_left else (right, left)
    scale *= left.heads.followed.scale * right.heads.followed.scale
    if value.heads.followed.scale != 1.0:
        raise Unsupported(NO_ATTENTION)
    parts = {"query": query, "key": key, "value": value}
    weights = {role: projection(call, one.layer, one.heads) for role, one in parts.items()}
    weights["attention_output"] = last_projection(call, value.heads, order)
    factor = scale * sqrt(key.heads.size)
    masked = masking(call, masks, is_left=is_left, has_scores=has_scores)
    name, number = _layer(call, attention, parts, weights, factor)
    if masked:
        call.writer.with_arguments(name, masked)
    for tensor in (mask.tensor for mask, _ in masks if mask.tensor):
        call.writer.carried(tensor, CARRIED)
    return Value(name, number, 0, with_features(layout, int(call.settings["units"])))


def _projected(call: Call, path: Path, fed: Mapping[str, Value], *, is_transposed: bool) -> Projected:
    layer, value = call.source.by_name[path.source], fed[path.source]
    if layer.op != "Dense":
        raise Unsupported(NO_ATTENTION)
    layers = [call.source.by_name[name] for name in path.layers]
    at = start(with_features(_flat_steps(value.layout), int(layer.attributes["units"])))
    return Projected(layer, value, heads_of(followed(at, layers, call), is_transposed=is_transposed))


def _flat_steps(layout: Layout) -> Layout:
    """What the layout is as (batch, steps, channels): the steps as one axis, as they stand in Keras."""
    return replace(layout, keras=_groups(layout))


def _groups(layout: Layout) -> tuple[tuple[int, ...], ...]:
    channels = layout.source[-1]
    if layout.batch in channels:
        raise Unsupported(NO_ATTENTION)
    flat = [atom for group in layout.keras for atom in group]
    steps = tuple(atom for atom in flat if atom not in channels and atom != layout.batch)
    return (layout.batch,), steps, channels


def _scored(
    call: Call, attention: Attention, layout: Layout, value_of: ValueOf
) -> tuple[Layout, float, list[Placed]]:
    """The scores up to the softmax: their layout, their scale, each mask with the layout that it acts on."""
    scale, masks = 1.0, list[Placed]()
    masked = {edge.target: edge for edge in attention.masks}
    for name in attention.before.layers:
        if name in masked:
            masks.append((allowed(call, masked[name], value_of), layout))
        else:
            layout, factor = _through(call, [name], layout)
            scale *= factor
    return layout, scale, masks


def _through(call: Call, layers: Sequence[str], layout: Layout) -> tuple[Layout, float]:
    scale = 1.0
    for layer in (call.source.by_name[name] for name in layers):
        if layer.op == "Rescaling":
            scale *= factor_of(layer)
        elif layer.op != "Dropout":
            layout = viewed(layout, layer, call)
    return layout, scale


def _order(layout: Layout, value: Heads) -> str:
    """How the last projection's input has a head's number and place."""
    if len(layout.keras) != 3:
        raise Unsupported(NO_ATTENTION)
    channels = layout.keras[2]
    if layout.source[-1] == channels:
        return "h d"
    if value.count > 1 and layout.source[-1] == (*channels[1:], *channels[:1]):
        return "d h"
    raise Unsupported(NO_ATTENTION)


def _given(call: Call, parts: Mapping[str, Projected]) -> tuple[Value, ...]:
    """Query, value and key, as Keras's layer takes them."""
    fed: dict[tuple[str, int, int], Value] = {}
    query, key, values = (_arranged(call, part.value, fed) for part in parts.values())
    return query, values, key


def _layer(
    call: Call, attention: Attention, parts: Mapping[str, Projected], weights: Weights, factor: float
) -> tuple[str, int]:
    """The layer and the number of this call: a new one where its projections are not another's again."""
    given, sharing = _given(call, parts), call.sharing
    owners = sharing.firsts((*(part.layer.name for part in parts.values()), call.name))
    if owners in sharing.attentions:
        name = sharing.attentions[owners]
        return name, call.writer.called_again(name, *given)
    has_bias = any(bias.sources for _, bias in weights.values())
    config = {**_config(call, parts, given), "use_bias": has_bias, "dropout": _rate(call, attention.between)}
    wanted = _scope([*(part.layer.name for part in parts.values()), call.name])
    name = sharing.attentions[owners] = call.writer.layer("MultiHeadAttention", wanted, config, *given)
    call.writer.rewrote(ATTENTION, name)
    for role, (kernel, bias) in weights.items():
        for weight in (kernel, bias) if has_bias else (kernel,):
            put(call, f"{name}/{role}", weight, factor if role == "query" else 1.0)
    return name, 0


def _config(call: Call, parts: Mapping[str, Projected], given: Sequence[Value]) -> dict[str, Any]:
    heads, units = parts["query"].heads, int(call.settings["units"])
    return {
        "num_heads": heads.count,
        "key_dim": heads.size,
        "value_dim": parts["value"].heads.size,
        **({} if units == given[0].layout.shape[-1] else {"output_shape": [units]}),
    }


def _rate(call: Call, path: Path) -> float:
    rates = (call.source.by_name[name].settings.get("rate") for name in path.layers)
    return max((float(rate) for rate in rates if isinstance(rate, int | float)), default=0.0)


def _arranged(call: Call, value: Value, fed: dict[tuple[str, int, int], Value]) -> Value:
    """(batch, steps, channels); one layer where several projections read the same."""
    key = value.layer, value.call, value.output
    if key not in fed:
        fed[key] = arranged(call.writer, value, _groups(value.layout), call.name)
    return fed[key]


def _scope(names: Sequence[str]) -> str:
    """What the names of all projections begin with: `block.attn.q`, `block.attn.out` -> `block.attn`.

    Else the last one's scope, which is written last.
    """
    pieces = [SEPARATORS.split(name) for name in names]
    common = list(takewhile(lambda parts: len(set(parts)) == 1, zip(*pieces, strict=False)))
    length = len("".join(parts[0] for parts in common).rstrip("./"))
    return names[-1][:length] or "".join(pieces[-1][:-2]) or "attention"
