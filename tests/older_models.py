"""Models of tf.keras, one for each thing that Keras 3 says otherwise; built where tf_keras is installed."""

from collections.abc import Callable
from typing import Any

Build = Callable[[Any, Any], Any]  # (keras, layers) -> a model
OLD = "hard_sigmoid"


def one(shape: tuple[int | None, ...], layer: Callable[[Any], Any], **options: Any) -> Build:
    """A Sequential of one layer."""
    return lambda k, la: k.Sequential([k.Input(shape, **options), layer(la)])


def chain(shape: tuple[int | None, ...], *layers: Callable[[Any], Any], **options: Any) -> Build:
    return lambda k, la: k.Sequential([k.Input(shape, **options), *(layer(la) for layer in layers)])


def functional(shape: tuple[int | None, ...], body: Callable[[Any, Any, Any], Any], **options: Any) -> Build:
    def build(k: Any, la: Any) -> Any:
        x = k.Input(shape, **options)
        return k.Model(x, body(k, la, x))

    return build


HARD_SIGMOID: dict[str, Build] = {
    "lstm": one((5, 3), lambda la: la.LSTM(4, recurrent_activation=OLD)),
    "gru": one((5, 3), lambda la: la.GRU(4, recurrent_activation=OLD)),
    "gru-before": one((5, 3), lambda la: la.GRU(4, recurrent_activation=OLD, reset_after=False)),
    "gru-activation": one((5, 3), lambda la: la.GRU(4, activation=OLD, recurrent_activation=OLD)),
    "gru-before-activation": one((5, 3), lambda la: la.GRU(4, activation=OLD, reset_after=False)),
    "rnn": one((5, 3), lambda la: la.SimpleRNN(4, activation=OLD)),
    "dense": one((6,), lambda la: la.Dense(4, activation=OLD)),
    "dense-without-bias": one((6,), lambda la: la.Dense(4, activation=OLD, use_bias=False)),
    "conv1d": one((6, 3), lambda la: la.Conv1D(4, 3, activation=OLD)),
    "conv2d": one((6, 6, 3), lambda la: la.Conv2D(4, 3, activation=OLD)),
    "depthwise": one((6, 6, 3), lambda la: la.DepthwiseConv2D(3, depth_multiplier=2, activation=OLD)),
    "separable": one((6, 6, 3), lambda la: la.SeparableConv2D(4, 3, activation=OLD)),
    "transposed": one((6, 6, 3), lambda la: la.Conv2DTranspose(4, 3, activation=OLD)),
    "activation": chain((6,), lambda la: la.Dense(4), lambda la: la.Activation(OLD)),
    "activation-twice": functional((4,), lambda k, la, x: _twice(la, x)),
    "bidirectional": one((5, 3), lambda la: la.Bidirectional(la.LSTM(4, recurrent_activation=OLD))),
    "bidirectional-gru": one(
        (5, 3), lambda la: la.Bidirectional(la.GRU(4, recurrent_activation=OLD, return_sequences=True))
    ),
    "distributed-dense": one((5, 3), lambda la: la.TimeDistributed(la.Dense(4, activation=OLD))),
    "distributed-activation": chain((5, 3), lambda la: la.TimeDistributed(la.Activation(OLD))),
    "cell": one((5, 3), lambda la: la.RNN(la.LSTMCell(4, recurrent_activation=OLD))),
    "cells": one(
        (5, 3),
        lambda la: la.RNN(
            [la.LSTMCell(4, recurrent_activation=OLD), la.GRUCell(3, recurrent_activation=OLD)]
        ),
    ),
    "convlstm": one((3, 6, 6, 2), lambda la: la.ConvLSTM2D(3, 3, recurrent_activation=OLD)),
    "nested": functional((6,), lambda k, la, x: k.Sequential([la.Dense(4), la.Activation(OLD)])(x)),
}


def _twice(la: Any, x: Any) -> Any:
    act = la.Activation(OLD)
    return la.Concatenate()([act(la.Dense(3)(x)), act(la.Dense(3)(x))])


def _seq2seq(k: Any, la: Any) -> Any:
    x, y = k.Input((5, 3)), k.Input((4, 3))
    _, *states = la.LSTM(4, return_state=True)(x)
    return k.Model([x, y], la.Dense(2)(la.LSTM(4, return_sequences=True)(y, initial_state=states)))


def _gru_states(k: Any, la: Any) -> Any:
    x, h = k.Input((5, 3)), k.Input((4,))
    return k.Model([x, h], la.GRU(4, return_state=True)(x, initial_state=h))


def _siamese(k: Any, la: Any) -> Any:
    body = k.Sequential([k.Input((6,)), la.Dense(4, activation="relu"), la.Dense(4)])
    x, y = k.Input((6,)), k.Input((6,))
    return k.Model([x, y], la.Dot(axes=1, normalize=True)([body(x), body(y)]))


def _crossed(k: Any, la: Any) -> Any:
    """Layers of one class and shape in branches of different lengths: Keras 3 lists them in another order."""
    x = k.Input((4,))
    short = la.Dense(4, name="short")(x)
    long = la.Dense(4, name="long_2")(la.Dense(4, name="long_1")(x))
    late = la.Dense(4, name="late")(la.Add()([long, short]))
    side = la.Dense(4, name="side")(x)
    return k.Model(x, [la.Multiply()([side, late]), la.Dense(4, name="end")(short)])


def _two_outputs(k: Any, la: Any) -> Any:
    inner_in = k.Input((6,))
    inner = k.Model(inner_in, [la.Dense(3)(inner_in), la.Dense(2)(inner_in)], name="inner")
    x = k.Input((6,))
    a, b = inner(x)
    c, _ = inner(la.Dense(6)(x))
    return k.Model(x, [la.Concatenate()([a, b]), c])


def _nested_end(k: Any, la: Any) -> Any:
    inner_in = k.Input((6,))
    inner = k.Model(inner_in, la.Dense(3, activation="tanh")(inner_in), name="inner")
    x = k.Input((6,))
    return k.Model(x, [inner(la.Dense(6)(x)), inner(x)])


def _attention(k: Any, la: Any) -> Any:
    x, y = k.Input((5, 8)), k.Input((7, 6))
    z = la.MultiHeadAttention(2, 4, value_dim=3)(x, y)
    z = la.LayerNormalization()(la.Add()([x, z]))
    z = la.MultiHeadAttention(2, 4, output_shape=5)(z, z, use_causal_mask=True)
    return k.Model([x, y], la.GlobalAveragePooling1D()(z))


def _dot_attention(k: Any, la: Any) -> Any:
    x, y = k.Input((5, 8)), k.Input((7, 8))
    one_way = la.Attention(use_scale=True)([x, y])
    return k.Model([x, y], [one_way, la.AdditiveAttention()([x, y, y])])


def _training(k: Any, la: Any) -> Any:
    x = k.Input((6,))
    return k.Model(x, la.BatchNormalization()(la.Dense(4)(x), training=False))


def _frozen(k: Any, la: Any) -> Any:
    model = k.Sequential([k.Input((6,)), la.Dense(4, trainable=False), la.BatchNormalization(), la.Dense(2)])
    model.layers[1].trainable = False
    return model


def _unused_input(k: Any, la: Any) -> Any:
    x, y = k.Input((6,)), k.Input((3,))
    return k.Model([x, y], la.Dense(2)(x))


def _named_inputs(k: Any, la: Any) -> Any:
    x, y = k.Input((6,), name="b"), k.Input((3,), name="a")
    return k.Model({"b": x, "a": y}, {"sum": la.Dense(2)(x), "also": la.Dense(3)(y)})


def _regularised(k: Any, la: Any) -> Any:
    dense = la.Dense(
        4,
        kernel_regularizer=k.regularizers.l2(1e-3),
        bias_constraint=k.constraints.NonNeg(),
        kernel_initializer=k.initializers.RandomNormal(stddev=0.1),
        activity_regularizer=k.regularizers.L1(1e-4),
    )
    return k.Sequential([k.Input((6,)), dense])


def _distributed_model(k: Any, la: Any) -> Any:
    inner_in = k.Input((6, 6, 2))
    inner = k.Model(inner_in, la.GlobalMaxPooling2D()(la.Conv2D(3, 3)(inner_in)), name="inner")
    return k.Sequential([k.Input((3, 6, 6, 2)), la.TimeDistributed(inner), la.LSTM(4)])


def _slashes(k: Any, la: Any) -> Any:
    x = k.Input((6,), name="in")
    y = la.Dense(4, activation=OLD, name="block/one")(x)
    return k.Model(x, la.Concatenate(name="block/join")([la.Dense(4, name="block/two")(y), y]))


def _translator(k: Any, la: Any) -> Any:
    """Masks reach a layer with states, an attention, and one that is called as an operation on masks is."""
    x, y = k.Input((6,), dtype="int32"), k.Input((5,), dtype="int32")
    states = la.LSTM(4, return_sequences=True, return_state=True)(la.Embedding(9, 4, mask_zero=True)(x))
    words = la.Dropout(0.1)(la.Embedding(9, 4, mask_zero=True)(y))
    said = la.LSTM(4, return_sequences=True)(words, initial_state=states[1:])
    read = la.Attention()([said, states[0]])
    return k.Model([x, y], la.TimeDistributed(la.Dense(3))(la.Concatenate(name="concatenate")([said, read])))


def _masked_states(k: Any, la: Any) -> Any:
    x, h = k.Input((5, 3)), k.Input((4,))
    return k.Model([x, h], la.GRU(4)(la.Masking()(x), initial_state=h))


def _normalised(k: Any, la: Any) -> Any:
    """An adapted layer keeps how many samples it has seen beside its mean and variance."""
    layer = la.Normalization()
    layer.adapt([[1.0, 2.0, 3.0], [4.0, 0.0, 3.5]])
    return k.Sequential([k.Input((3,)), layer, la.Dense(2)])


def _words(k: Any, la: Any) -> Any:
    x, y = k.Input((2,), dtype="string"), k.Input((1,), dtype="string")
    found = la.StringLookup(vocabulary=["a", "b", "c"])(x)
    split = la.TextVectorization(vocabulary=["hello", "you"], output_sequence_length=3)(y)
    return k.Model([x, y], [la.Embedding(4, 3)(found), la.Embedding(4, 2)(split)])


OTHERS: dict[str, Build] = {
    "words": _words,
    "both-apart": functional(
        (5, 3), lambda k, la, x: la.Add()(la.Bidirectional(la.GRU(3), merge_mode=None)(x))
    ),
    "translator": _translator,
    "masked-states": _masked_states,
    "normalised": _normalised,
    "stateful": lambda k, la: k.Sequential(
        [la.LSTM(3, stateful=True, batch_input_shape=(2, 5, 3)), la.Dense(2)]
    ),
    "half": chain((6,), lambda la: la.Dense(4, dtype="float16", activation="relu"), dtype="float16"),
    "distributed-model": _distributed_model,
    "slashes": _slashes,
    "batchnorm-first": one((3, 6, 6), lambda la: la.BatchNormalization(axis=1)),
    "batchnorm-plain": one((6,), lambda la: la.BatchNormalization(center=False, scale=False, epsilon=0.01)),
    "bilinear": one((4, 4, 2), lambda la: la.UpSampling2D(3, interpolation="bilinear")),
    "border": chain(
        (6, 5, 2), lambda la: la.ZeroPadding2D(((1, 2), (0, 3))), lambda la: la.Cropping2D(((1, 0), (2, 1)))
    ),
    "causal": one((9, 3), lambda la: la.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "cells": one((5, 3), lambda la: la.RNN([la.LSTMCell(4), la.GRUCell(3)], return_sequences=True)),
    "backwards": one(
        (5, 3), lambda la: la.Bidirectional(la.GRU(2, go_backwards=True, return_sequences=True))
    ),
    "conv3d": chain((5, 6, 7, 2), lambda la: la.Conv3D(3, 2), lambda la: la.MaxPooling3D()),
    "convlstm": one((3, 6, 6, 2), lambda la: la.Bidirectional(la.ConvLSTM2D(3, 3))),
    "crossed": _crossed,
    "distributed-conv": one((3, 6, 6, 2), lambda la: la.TimeDistributed(la.Conv2D(3, 3))),
    "dot-attention": _dot_attention,
    "dropouts": chain(
        (6, 6, 4),
        lambda la: la.SpatialDropout2D(0.3),
        lambda la: la.GaussianNoise(0.1),
        lambda la: la.Dropout(0.5),
        lambda la: la.Conv2D(2, 1),
    ),
    "einsum": one((5, 6), lambda la: la.EinsumDense("abc,cd->abd", (5, 3), bias_axes="d")),
    "float64": one((6,), lambda la: la.Dense(4, dtype="float64")),
    "frozen": _frozen,
    "groupnorm": one((6, 6, 4), lambda la: la.GroupNormalization(2)),
    "grouped": one((6, 6, 4), lambda la: la.Conv2D(6, 3, groups=2, strides=2, padding="same")),
    "gru-states": _gru_states,
    "layernorm-axes": one((4, 5), lambda la: la.LayerNormalization(axis=[1, 2])),
    "layers-as-activations": one((6,), lambda la: la.Dense(4, activation=la.LeakyReLU(0.2))),
    "masked": chain((5, 3), lambda la: la.Masking(), lambda la: la.LSTM(4)),
    "mask-zero": chain(
        (7,),
        lambda la: la.Embedding(11, 4, mask_zero=True),
        lambda la: la.Bidirectional(la.GRU(3, return_sequences=True)),
        lambda la: la.GlobalAveragePooling1D(),
        dtype="int32",
    ),
    "moved": chain(
        (4, 6),
        lambda la: la.Permute((2, 1)),
        lambda la: la.Flatten(),
        lambda la: la.RepeatVector(3),
        lambda la: la.Reshape((-1, 4)),
        lambda la: la.Conv1D(2, 3),
    ),
    "multi-head": _attention,
    "named-inputs": _named_inputs,
    "nested-end": _nested_end,
    "pools": chain(
        (7, 7, 2),
        lambda la: la.AveragePooling2D(3, strides=2, padding="same"),
        lambda la: la.GlobalMaxPooling2D(keepdims=True),
    ),
    "prelu": one((5, 5, 3), lambda la: la.PReLU(shared_axes=[1, 2])),
    "regularised": _regularised,
    "relus": chain(
        (6,),
        lambda la: la.Dense(5),
        lambda la: la.ThresholdedReLU(0.3),
        lambda la: la.LeakyReLU(0.1),
        lambda la: la.ELU(0.5),
        lambda la: la.ReLU(6.0, 0.1, 0.05),
    ),
    "rescaling": chain((4, 4, 3), lambda la: la.Rescaling(1 / 127.5, -1.0), lambda la: la.Conv2D(2, 3)),
    "seq2seq": _seq2seq,
    "separable1d": one((9, 3), lambda la: la.SeparableConv1D(4, 3, depth_multiplier=2)),
    "siamese": _siamese,
    "softmax-axes": chain((4, 5), lambda la: la.Dense(3), lambda la: la.Softmax(axis=[1, 2])),
    "stacked": chain(
        (6, 3),
        lambda la: la.LSTM(4, return_sequences=True, go_backwards=True),
        lambda la: la.SimpleRNN(3, use_bias=False),
    ),
    "swish": chain(
        (6,), lambda la: la.Dense(4, activation="swish"), lambda la: la.Dense(3, activation="gelu")
    ),
    "training": _training,
    "transposed": one((5, 5, 3), lambda la: la.Conv2DTranspose(4, 3, strides=2, padding="same")),
    "two-outputs": _two_outputs,
    "unused-input": _unused_input,
}
ALL: dict[str, Build] = {**{f"hard-sigmoid-{name}": b for name, b in HARD_SIGMOID.items()}, **OTHERS}
