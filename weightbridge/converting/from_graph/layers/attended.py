"""Attention without projections, as Keras's Attention and AdditiveAttention."""

from collections.abc import Mapping

from weightbridge.converting.from_graph.arrange import as_source
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import plain
from weightbridge.converting.from_graph.source.kernels import flat
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _attention(call: Call) -> Value:
    """query, value, key: each (batch, steps, features)."""
    if any(value.layout.rank != 3 for value in call.inputs):
        raise Unsupported("attends to what is no sequence")
    query, value, key = (
        as_source(call.writer, one, f"{call.name}_{word}")
        for one, word in zip(call.inputs, call.keywords, strict=True)
    )
    is_one = (key.layer, key.call, key.output) == (value.layer, value.call, value.output)
    fed = [query, value] if is_one else [query, value, key]
    name = _layer(call, fed)
    if call.settings["is_causal"]:
        call.writer.with_arguments(name, {"use_causal_mask": True})
    shape = [None, query.layout.source_shape[1], value.layout.source_shape[2]]
    return Value(name, 0, 0, plain(shape), value.dtype)


def _layer(call: Call, fed: list[Value]) -> str:
    scale = next(iter(call.layer.tensors), None)
    if call.settings["mode"] == "dot":
        config = {"use_scale": False, "score_mode": "dot", "dropout": 0.0}
        return call.writer.layer("Attention", call.name, config, fed)
    config = {"use_scale": scale is not None, "dropout": 0.0}
    name = call.writer.layer("AdditiveAttention", call.name, config, fed)
    if scale is not None:
        transform, parameters = flat(scale)
        call.weight(name, "scale", (scale.size,), scale, transform, parameters)
    return name


CLASSES: Mapping[str, Builder] = {"AttentionAlone": _attention}
