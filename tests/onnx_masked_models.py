"""Keras models with steps that do not count, with cells and with operations: all written as ONNX."""

from collections.abc import Callable
from typing import Any

from onnx_models import chain

Build = Callable[[], Any]


def masked() -> dict[str, Build]:
    from keras import layers as k

    def words(*made: Any) -> Build:
        return lambda: chain((None,), k.Embedding(9, 6, mask_zero=True), *made, dtype="int32")

    return {
        "last": words(k.LSTM(4)),
        "sequence": words(k.GRU(4, return_sequences=True), k.Dropout(0.2), k.GRU(3, reset_after=False)),
        "backwards": words(k.SimpleRNN(4, return_sequences=True, go_backwards=True)),
        "backwards-last": words(k.LSTM(4, go_backwards=True)),
        "zeros": words(k.LSTM(4, return_sequences=True, zero_output_for_mask=True)),
        "both-ways": words(k.Bidirectional(k.LSTM(4, return_sequences=True)), k.Bidirectional(k.GRU(3))),
        "both-ways-sum": words(k.Bidirectional(k.GRU(4, return_sequences=True), merge_mode="sum"), k.LSTM(2)),
        "handed-on": words(
            k.LayerNormalization(),
            k.Dense(5, "relu"),
            k.BatchNormalization(),
            k.Activation("tanh"),
            k.LSTM(3),
        ),
        "values": lambda: chain(
            (7, 5), k.ReLU(), k.Masking(0.0), k.LSTM(3, return_sequences=True), k.TimeDistributed(k.Dense(2))
        ),
        "cells": words(k.RNN([k.LSTMCell(3), k.GRUCell(4)], return_sequences=True)),
        "ended": words(k.Conv1D(4, 3), k.LSTM(3)),
        **{f"joined-{name}": joined(name) for name in ("add", "concatenate", "plus", "double")},
        "told": told,
        "translated": translated,
        "states": states,
        **{
            f"attended-{name}": attended(name) for name in ("products", "sums", "additive", "causal", "shown")
        },
    }


def attended(how: str) -> Build:
    """Keys that a mask hides are not read, and a query that is hidden gives zeros."""

    def build() -> Any:
        from keras import Input, Model
        from keras import layers as k

        words, read = Input((4,), dtype="int32"), Input((None,), dtype="int32")
        pair = [k.Embedding(9, 6, mask_zero=True)(one) for one in (words, read)]
        if how == "causal":
            return Model([words, read], k.Attention()(pair, use_causal_mask=True))
        if how == "shown":
            return Model([words, read], list(k.Attention()(pair, return_attention_scores=True)))
        if how == "additive":
            return Model([words, read], k.LSTM(3)(k.AdditiveAttention()([*pair, pair[1]])))
        layer = k.Attention(use_scale=True, score_mode="dot" if how == "products" else "concat")
        return Model([words, read], layer(pair))

    return build


def joined(how: str) -> Build:
    """A mask goes through merges, and through no operation."""

    def build() -> Any:
        from keras import Input, Model
        from keras import layers as k

        words = Input((8,), dtype="int32")
        x = k.Embedding(9, 6, mask_zero=True)(words)
        y = k.LSTM(6, return_sequences=True)(x)
        ways = {
            "add": lambda: k.Add()([x, y]),
            "concatenate": lambda: k.Concatenate()([x, y]),
            "plus": lambda: x + y,
            "double": lambda: y * 2.0,
        }
        return Model(words, k.LSTM(3)(ways[how]()))

    return build


def told() -> Any:
    from keras import Input, Model
    from keras import layers as k

    given, mask = Input((6, 4)), Input((6,), dtype="bool")
    return Model([given, mask], k.LSTM(3, return_sequences=True)(given, mask=mask))


def translated() -> Any:
    from keras import Input, Model
    from keras import layers as k

    theirs, ours = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    _, state = k.GRU(5, return_state=True)(k.Embedding(9, 6, mask_zero=True)(theirs))
    embedded = k.Embedding(9, 4, mask_zero=True)(ours)
    x = k.GRU(5, return_sequences=True)(embedded, initial_state=state)
    return Model([theirs, ours], k.Dense(6, activation="softmax")(x))


def states() -> Any:
    """Where every step is hidden, states stay what they were."""
    from keras import Input, Model
    from keras import layers as k

    given, mask = Input((1, 4)), Input((1,), dtype="bool")
    _, *found = k.LSTM(3, return_state=True)(given)
    y, *after = k.LSTM(3, return_state=True)(given, initial_state=found, mask=mask)
    both = k.Bidirectional(k.LSTM(3, return_sequences=True))(given, initial_state=[*found, *found])
    return Model([given, mask], [y, *after, both])


def cells() -> dict[str, Build]:
    from keras import layers as k

    return {
        "one": lambda: chain(
            (6, 4), k.RNN(k.LSTMCell(3), return_sequences=True), k.RNN(k.GRUCell(3, name="mine"))
        ),
        "three": lambda: chain(
            (6, 4), k.RNN([k.LSTMCell(3), k.GRUCell(4), k.SimpleRNNCell(2)], return_sequences=True)
        ),
        "backwards": lambda: chain(
            (6, 4), k.RNN(k.StackedRNNCells([k.LSTMCell(3), k.LSTMCell(4)]), go_backwards=True)
        ),
        "both-ways": lambda: chain(
            (6, 4), k.Bidirectional(k.RNN([k.LSTMCell(3), k.LSTMCell(4)], return_sequences=True))
        ),
        "two-kinds": lambda: chain(
            (6, 4),
            k.Bidirectional(
                k.LSTM(3, return_sequences=True),
                backward_layer=k.GRU(3, return_sequences=True, go_backwards=True),
            ),
        ),
        "states": lambda: states_of(k.RNN([k.LSTMCell(3), k.GRUCell(4)], return_state=True)),
        "state-of-one": lambda: states_of(k.RNN(k.LSTMCell(3), return_state=True)),
        "state": lambda: states_of(k.SimpleRNN(3, return_state=True)),
    }


def states_of(layer: Any) -> Any:
    from keras import Input, Model, tree

    given = Input((6, 4))
    return Model(given, tree.flatten(layer(given)))


def functions() -> dict[str, Build]:
    """Operations, each with what it is called with."""
    from keras import layers, ops

    def of(function: Callable[[Any], Any]) -> Build:
        def build() -> Any:
            from keras import Input, Model

            given = Input((6, 5))
            return Model(given, function(given))

        return build

    return {
        "trigonometry": of(lambda x: [ops.arctan(x), ops.sinh(x), ops.cosh(x), ops.arcsinh(x)]),
        "inverse": of(lambda x: [ops.arcsin(ops.tanh(x)), ops.arccos(ops.tanh(x)), ops.arctanh(x / 9.0)]),
        "logarithms": of(lambda x: [ops.log2(x**2 + 1.0), ops.log10(x**2 + 1.0), ops.log1p(x**2)]),
        "near-one": of(lambda x: [ops.expm1(x), ops.erf(x), ops.zeros_like(x) + x, ops.ones_like(x) * x]),
        "compared": of(
            lambda x: [ops.where(ops.not_equal(ops.round(x), 0.0), x, -x), ops.where(x > 0.0, x, 0.5)]
        ),
        "logic": of(
            lambda x: [
                ops.cast(ops.any(x > 1.0, axis=-1), "float32"),
                ops.cast(ops.all(ops.logical_xor(x > -2.0, x > 2.0), axis=1), "float32"),
            ]
        ),
        "statistics": of(
            lambda x: [ops.var(x, axis=[1, 2]), ops.std(x, axis=-1, keepdims=True), ops.cumsum(x, axis=1)]
        ),
        "new-axes": of(lambda x: [x[:, None], x[:, None, 1:3, ..., 0], x[..., None, 2]]),
        "moved": of(
            lambda x: [
                ops.swapaxes(x, 1, 2),
                ops.moveaxis(x, -1, 1),
                ops.roll(x, 2, axis=1),
                ops.roll(x, -1, axis=2),
            ]
        ),
        "parts": of(
            lambda x: [ops.take(x, [0, 2], axis=1), *ops.split(x, [1, 3], axis=2), *ops.split(x, 3, axis=1)]
        ),
        "repeated": of(lambda x: [ops.repeat(x, 2, axis=1), ops.tile(x, (1, 2, 3))]),
        "bordered": of(
            lambda x: [ops.pad(x, ((0, 0), (1, 2), (0, 1)), mode=mode) for mode in ("constant", "reflect")]
        ),
        "lengths": of(lambda x: [ops.norm(x, axis=-1), ops.norm(x, ord=1, axis=1, keepdims=True)]),
        "places": of(
            lambda x: [
                ops.cast(ops.argmax(x, axis=-1), "float32"),
                ops.flip(x, axis=1),
                ops.one_hot(ops.argmin(x, axis=1), 6),
            ]
        ),
        "shapes-of-numbers": of(
            lambda x: [ops.normalize(x, axis=-1), ops.floor_divide(x, 0.3), ops.elu(x), ops.celu(x)]
        ),
        "steps-of-steps": lambda: chain(
            (3, 4, 6, 6, 2),
            layers.TimeDistributed(layers.TimeDistributed(layers.Conv2D(3, 3))),
            layers.TimeDistributed(layers.TimeDistributed(layers.GlobalAveragePooling2D())),
            layers.TimeDistributed(layers.LSTM(4)),
        ),
        "words-of-a-byte": lambda: chain((6,), layers.Embedding(9, 4), dtype="uint8"),
        "centre": lambda: chain((9, 8, 3), layers.CenterCrop(4, 8), layers.CenterCrop(3, 5)),
        "told-numbers": of(
            lambda x: [
                *(ops.celu(x, alpha=2.0), ops.elu(x, alpha=0.3), ops.squareplus(x, b=3)),
                *(ops.hard_shrink(x, threshold=1.0), ops.soft_shrink(x, threshold=0.1), ops.hard_tanh(x)),
            ]
        ),
        "in-order": of(
            lambda x: [
                *(ops.sort(x, axis=1), ops.top_k(x, 2)[0], ops.tril(x), ops.triu(x, k=1)),
                ops.take_along_axis(x, ops.argsort(x, axis=-1), axis=-1),
            ]
        ),
    }
