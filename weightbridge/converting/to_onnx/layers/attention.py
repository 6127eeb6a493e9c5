"""Attention: with projected heads, and the plain kinds without."""

from collections.abc import Mapping
from math import sqrt

from weightbridge.converting.to_onnx.arrange import as_keras, transpose, with_ones
from weightbridge.converting.to_onnx.call import Builder, Call
from weightbridge.converting.to_onnx.elements import as_floats, cast, with_number
from weightbridge.converting.to_onnx.layers.reductions import reduced
from weightbridge.converting.to_onnx.sequences.masks import (
    causal,
    combined,
    masked_softmax,
    over_keys,
    over_queries,
)
from weightbridge.converting.to_onnx.values import Value, straight
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Tensor

HEADS_FIRST = (0, 2, 1, 3)


def _multi_head(call: Call) -> tuple[Value, ...]:
    """(batch, steps, features); heads are an axis of their own in between."""
    query, value, key = _given(call)
    if any(v.rank != 3 for v in (query, value, key)) or call.settings.get("use_gate"):
        raise call.refused("has axes, or a gate, beyond those of a sequence")
    writer, heads = call.writer, int(call.settings["heads"])
    scores = _scores(call, query, key)
    mask = _mask(call, (query, value, key), scores)
    weights = masked_softmax(writer, scores, mask, emptied=_shows_scores(call))
    of_value = _heads(call, value, "value")
    name = writer.op("MatMul", weights.name, of_value.name)
    name = transpose(writer, name, HEADS_FIRST)
    width = heads * int(of_value.shape[-1] or 0)
    name = writer.op("Reshape", name, writer.integers("shape", [0, 0, width]))
    output = _projected_back(call, name, query)
    return (output, weights) if call.node.call.keywords.get("return_attention_scores") else (output,)


def _shows_scores(call: Call) -> bool:
    """Whether Keras computes the scores itself, and lets a query that may see nothing have nothing.

    Otherwise it has its backend do all at once, and such a query gets the mean of all.
    """
    shown = call.node.call.keywords.get("return_attention_scores")
    return bool(shown or call.settings.get("dropout"))


def _given(call: Call) -> tuple[Value, Value, Value]:
    values = [
        as_keras(call.writer, as_floats(call.writer, v)) if v.dtype != "bool" else v for v in call.inputs
    ]
    named = dict(zip(call.keywords, values, strict=True))
    query = named.get("", named.get("query"))
    value = named.get("value")
    if query is None or value is None:
        raise call.refused("does not say what it attends to")
    return query, value, named.get("key", value)


def _part(call: Call, name: str) -> Layer:
    layer = call.source.by_name.get(f"{call.node.owner}/{name}")
    if layer is None or layer.tensor("kernel") is None:
        raise call.refused(f"has no projection of the {name} in the file")
    return layer


def _heads(call: Call, value: Value, name: str) -> Value:
    """(batch, heads, steps, width)"""
    layer, writer = _part(call, name), call.writer
    kernel, bias = layer.tensor("kernel"), layer.tensor("bias")
    assert kernel is not None, "a projection has a kernel"
    inputs, heads, width = kernel.shape
    weight = writer.weight(kernel, (inputs, heads * width), "i n o -> i (n o)")
    projected = writer.op("MatMul", value.name, weight)
    if bias is not None:
        projected = writer.op("Add", projected, writer.weight(bias, (heads * width,), "n o -> (n o)"))
    projected = writer.op("Reshape", projected, writer.integers("heads", [0, 0, heads, width]))
    turned = transpose(writer, projected, HEADS_FIRST)
    batch, steps, _ = value.shape
    return _repeated(call, Value(turned, (batch, heads, steps, width), straight(4)))


def _repeated(call: Call, value: Value) -> Value:
    """Where several query heads share one of the keys."""
    wanted, (batch, heads, steps, width) = int(call.settings["heads"]), value.shape
    if heads in (None, wanted):
        return value
    writer = call.writer
    name = writer.unsqueezed(value.name, [2])
    name = writer.op("Tile", name, writer.integers("repeats", [1, 1, wanted // int(heads or 1), 1, 1]))
    shape = writer.integers("shape", [0, wanted, -1, int(width or 0)])
    return Value(writer.op("Reshape", name, shape), (batch, wanted, steps, width), straight(4))


def _scores(call: Call, query: Value, key: Value) -> Value:
    writer = call.writer
    of_query, of_key = _heads(call, query, "query"), _heads(call, key, "key")
    scaled = with_number(writer, "Mul", of_query, 1.0 / sqrt(int(call.settings["key_dim"])), "scale")
    turned = transpose(writer, of_key.name, (0, 1, 3, 2))
    shape = (*of_query.shape[:3], of_key.shape[2])
    return Value(writer.op("MatMul", scaled.name, turned), shape, straight(4))


def _mask(call: Call, values: tuple[Value, Value, Value], scores: Value) -> Value | None:
    """What may be attended to: what was said, and the masks of what is read."""
    query, value, key = values
    writer, told = call.writer, call.given("attention_mask")
    if call.config.get("sliding_window") is not None or any(_is_mask(name) for name in call.keywords):
        raise call.refused("has a window, or masks of its own")
    masks = [over_queries(writer, query.mask, 4), over_keys(writer, value.mask, 4)]
    if key.name != value.name:
        masks.append(over_keys(writer, key.mask, 4))
    if told is not None:
        masks.append(_of_heads(call, told))
    if call.settings.get("use_causal_mask"):
        masks.append(causal(writer, scores))
    return combined(writer, [mask for mask in masks if mask is not None])


def _is_mask(keyword: str) -> bool:
    return keyword in ("query_mask", "value_mask", "key_mask")


def _of_heads(call: Call, mask: Value) -> Value:
    """(batch, queries, keys) -> (batch, 1, queries, keys)"""
    mask = as_keras(call.writer, mask)
    mask = mask if mask.dtype == "bool" else cast(call.writer, mask, "bool")
    return mask if mask.rank == 4 else with_ones(call.writer, mask, [1])


def _projected_back(call: Call, name: str, query: Value) -> Value:
    layer, writer = _part(call, "attention_output"), call.writer
    kernel, bias = layer.tensor("kernel"), layer.tensor("bias")
    assert kernel is not None, "a projection has a kernel"
    heads, width, *outer = kernel.shape
    if len(outer) != 1:
        raise call.refused("gives several axes of features")
    weight = writer.weight(kernel, (heads * width, *outer), "j i o -> (j i) o")
    name = writer.op("MatMul", name, weight)
    if bias is not None:
        name = writer.op("Add", name, writer.weight(bias, bias.shape))
    return Value(name, (*query.shape[:2], *outer), straight(3), mask=query.mask)


def _plain(call: Call) -> tuple[Value, ...]:
    """Luong's: softmax(query key^T) value; or scores by sums, as Bahdanau's."""
    query, value, key = _of_list(call)
    writer, scale = call.writer, call.optional("scale")
    if call.config.get("score_mode", "dot") == "concat":
        sums = _sums(call, query, key)
        sums = sums if scale is None else sums.named(writer.op("Mul", sums.name, writer.weight(scale, ())))
        scores = _added_up(call, sums)
        weight = writer.weight(call.tensor("concat_score_weight"), ())
        return _attended(call, scores.named(writer.op("Mul", scores.name, weight)), query, value)
    turned = transpose(writer, key.name, (0, 2, 1))
    scores = Value(writer.op("MatMul", query.name, turned), (*query.shape[:2], key.shape[1]), straight(3))
    if scale is not None:
        scores = scores.named(writer.op("Mul", scores.name, writer.weight(scale, scale.shape)))
    return _attended(call, scores, query, value)


def _additive(call: Call) -> tuple[Value, ...]:
    """Bahdanau's: the sum of tanh(query + key), each feature scaled."""
    query, value, key = _of_list(call)
    return _attended(call, _added_up(call, _sums(call, query, key), call.optional("scale")), query, value)


def _sums(call: Call, query: Value, key: Value) -> Value:
    """(batch, queries, keys, features)"""
    rows, columns = call.writer.unsqueezed(query.name, [2]), call.writer.unsqueezed(key.name, [1])
    shape = (*query.shape[:2], key.shape[1], query.shape[2])
    return Value(call.writer.op("Add", rows, columns), shape, straight(4))


def _added_up(call: Call, sums: Value, scale: Tensor | None = None) -> Value:
    inner = sums.named(call.writer.op("Tanh", sums.name))
    if scale is not None:
        inner = inner.named(call.writer.op("Mul", inner.name, call.writer.weight(scale, scale.shape)))
    return reduced(call.writer, "ReduceSum", inner, [3], keepdims=False)


def _of_list(call: Call) -> tuple[Value, Value, Value]:
    values = [as_keras(call.writer, value) for value in call.inputs]
    if len(values) not in (2, 3) or any(value.rank != 3 for value in values) or any(call.keywords):
        raise call.refused("is called with something else than a query, a value and a key")
    return values[0], values[1], values[-1] if len(values) == 3 else values[1]


def _attended(call: Call, scores: Value, query: Value, value: Value) -> tuple[Value, ...]:
    """Keys that the value's mask hides are not read; a query that its own mask hides gives zeros."""
    writer, keywords = call.writer, call.node.call.keywords
    masks = [over_keys(writer, _of_steps(call, value), 3)]
    if keywords.get("use_causal_mask") or call.config.get("causal"):
        masks.append(causal(writer, scores))
    weights = masked_softmax(writer, scores, combined(writer, [mask for mask in masks if mask is not None]))
    name, seen = writer.op("MatMul", weights.name, value.name), _of_steps(call, query)
    if seen is not None:
        rows = writer.unsqueezed(seen.name, [2])
        name = writer.op("Where", rows, name, writer.constant("nothing", 0.0))
    output = Value(name, (*query.shape[:2], value.shape[2]), straight(3), mask=seen)
    return (output, weights) if keywords.get("return_attention_scores") else (output,)


def _of_steps(call: Call, value: Value) -> Value | None:
    return None if value.mask is None else as_keras(call.writer, value.mask)


BUILDERS: Mapping[str, Builder] = {"Attention": _multi_head}
CLASSES: Mapping[str, Builder] = {"Attention": _plain, "AdditiveAttention": _additive}
