"""Attention without masks: of several heads, by products, by sums."""

import numpy as np

from weightbridge.errors import RunError
from weightbridge.formats.keras.evaluate.values import Function, Given, activated
from weightbridge.model.tensors import Array


def multi_head(given: Given) -> Array:
    """Queries, keys and values of each head; no masks."""
    value = given.named.get("value", given.inputs[1] if len(given.inputs) > 1 else given.x)
    key = given.named.get("key", given.inputs[2] if len(given.inputs) > 2 else value)
    _refuse_masks(given)
    q, k, v = (_projected(given, x, name) for x, name in ((given.x, "query"), (key, "key"), (value, "value")))
    scores = np.einsum("bqhd,bkhd->bhqk", q / np.sqrt(given.config["key_dim"]), k)
    read = np.einsum("bhqk,bkhd->bqhd", activated(scores, "softmax"), v)
    kernel = given.weight("attention_output/kernel")
    return np.asarray(np.tensordot(read, kernel, 2) + given.weights.get("attention_output/bias", 0.0))


def _projected(given: Given, x: Array, name: str) -> Array:
    bias = given.weights.get(f"{name}/bias", 0.0)
    return np.asarray(np.tensordot(x, given.weight(f"{name}/kernel"), 1) + bias)


def attention(given: Given) -> Array:
    """Query, value and key: scores by products (Luong), or by sums (Bahdanau)."""
    query, value, *keys = given.inputs
    key = keys[0] if keys else value
    _refuse_masks(given)
    is_sum = given.class_name == "AdditiveAttention" or given.config.get("score_mode") == "concat"
    scores = _by_sums(given, query, key) if is_sum else query @ np.swapaxes(key, 1, 2) * _scale(given)
    return np.asarray(activated(scores, "softmax") @ value)


def _by_sums(given: Given, query: Array, key: Array) -> Array:
    sums = query[:, :, np.newaxis] + key[:, np.newaxis]
    if given.class_name == "AdditiveAttention":
        return np.asarray((_scale(given) * np.tanh(sums)).sum(axis=-1))
    return np.asarray(given.weights["concat_score_weight"] * np.tanh(_scale(given) * sums).sum(axis=-1))


def _scale(given: Given) -> Array | float:
    return given.weights.get("scale", 1.0)


def _refuse_masks(given: Given) -> None:
    if "attention_mask" in given.named or given.mask is not None:
        raise RunError("masks of attention are not known here")


FUNCTIONS: dict[str, Function] = {
    "MultiHeadAttention": multi_head,
    "Attention": attention,
    "AdditiveAttention": attention,
}
