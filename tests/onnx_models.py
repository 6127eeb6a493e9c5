"""Small Keras models, one for each kind of layer that is written as ONNX."""

from collections.abc import Callable
from typing import Any

import numpy as np


def randomised(model: Any) -> Any:
    """The model with random weights and statistics."""
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            is_variance = "variance" in variable.path
            drawn = generator.uniform(0.5, 1.5, variable.shape)
            values = drawn if is_variance else generator.normal(0, 0.4, variable.shape)
            variable.assign(values.astype("float32"))
    return model


def chain(shape: tuple[int | None, ...], *made: Any, dtype: str = "float32") -> Any:
    from keras import Input, Sequential

    return Sequential([Input(shape, dtype=dtype), *made])


def recurrent() -> dict[str, Callable[[], Any]]:
    from keras import layers as k

    return {
        "lstm": lambda: chain((7, 5), k.LSTM(4, return_sequences=True), k.LSTM(3)),
        "backwards": lambda: chain(
            (7, 5),
            k.LSTM(4, use_bias=False, return_sequences=True, go_backwards=True),
            k.LSTM(3, go_backwards=True),
        ),
        "gates": lambda: chain(
            (None, 5),
            k.LSTM(4, activation="relu", recurrent_activation="hard_sigmoid", return_sequences=True),
            k.GRU(3, activation="softsign"),
        ),
        "gru": lambda: chain((None, 5), k.GRU(4, return_sequences=True), k.GRU(3, reset_after=False)),
        "rnn": lambda: chain((6, 5), k.SimpleRNN(4, return_sequences=True), k.SimpleRNN(3, "relu")),
        "both-ways": lambda: chain(
            (None, 5), k.Bidirectional(k.LSTM(4, return_sequences=True)), k.Bidirectional(k.GRU(3))
        ),
        "both-ways-joined": lambda: chain(
            (6, 5),
            k.Bidirectional(k.GRU(4, return_sequences=True, reset_after=False), merge_mode="sum"),
            k.Bidirectional(k.SimpleRNN(3), merge_mode="ave"),
        ),
        "one-step": lambda: chain((1, 8), k.LSTM(4, return_sequences=True), k.Flatten(), k.Dense(2)),
        "every-step": lambda: chain(
            (None, 12, 10, 3),
            k.TimeDistributed(k.Conv2D(4, 3, strides=2, padding="same", activation="relu")),
            k.TimeDistributed(k.Flatten()),
            k.LSTM(3),
        ),
        "model-every-step": lambda: chain(
            (4, 12, 10, 3),
            k.TimeDistributed(chain((12, 10, 3), k.Conv2D(4, 3), k.BatchNormalization(), k.Flatten())),
            k.GRU(3),
        ),
        "states": states,
        "states-both-ways": states_both_ways,
    }


def states() -> Any:
    from keras import Input, Model
    from keras import layers as k

    encoder, decoder = Input((None, 5)), Input((None, 4))
    _, hidden, cell = k.LSTM(6, return_state=True)(encoder)
    sequence, *_ = k.LSTM(6, return_sequences=True, return_state=True)(decoder, initial_state=[hidden, cell])
    _, last = k.GRU(6, return_state=True)(sequence)
    return Model([encoder, decoder], [k.TimeDistributed(k.Dense(4, activation="softmax"))(sequence), last])


def states_both_ways() -> Any:
    from keras import Input, Model
    from keras import layers as k

    given = Input((8, 5))
    y, *found = k.Bidirectional(k.LSTM(4, return_sequences=True, return_state=True))(given)
    return Model(given, [k.Bidirectional(k.LSTM(4))(y, initial_state=found), k.Concatenate()(found[::2])])


def images() -> dict[str, Callable[[], Any]]:
    from keras import layers as k

    return {
        "one-axis": lambda: chain(
            (20, 3),
            k.Conv1D(4, 3, padding="causal", dilation_rate=2),
            k.BatchNormalization(),
            k.MaxPooling1D(2),
            k.SeparableConv1D(5, 3, padding="same"),
            k.UpSampling1D(2),
            k.Conv1DTranspose(3, 4, strides=2, padding="same"),
            k.Cropping1D(1),
            k.ZeroPadding1D(2),
            k.GlobalMaxPooling1D(),
        ),
        "three-axes": lambda: chain(
            (8, 8, 6, 2),
            k.Conv3D(4, 3, padding="same"),
            k.MaxPooling3D(2),
            k.Conv3DTranspose(3, 3, strides=2),
            k.GlobalAveragePooling3D(keepdims=True),
        ),
        "transposed": lambda: chain(
            (8, 9, 2),
            k.Conv2DTranspose(3, 2, strides=3),
            k.Conv2DTranspose(3, 4, strides=2, padding="same"),
            k.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1),
            k.Conv2DTranspose(2, 5, dilation_rate=2),
        ),
        "norms": lambda: chain(
            (8, 9, 4),
            k.Conv2D(8, 3, groups=2),
            k.PReLU(shared_axes=[1, 2]),
            k.GroupNormalization(4),
            k.LayerNormalization(),
            k.UnitNormalization(),
            k.BatchNormalization(scale=False, center=False),
            k.LeakyReLU(),
        ),
        "norms-of-steps": lambda: chain(
            (10, 6),
            k.LayerNormalization(),
            k.RMSNormalization(),
            k.LayerNormalization(axis=[1, 2]),
            k.LayerNormalization(center=False, scale=False),
            k.BatchNormalization(axis=1),
            k.LayerNormalization(axis=1),
        ),
        "scaled": lambda: chain(
            (10, 6, 3),
            k.Rescaling(1 / 127.5, -1),
            k.Normalization(mean=[1.0, 2.0, 3.0], variance=[0.5, 0.6, 0.7]),
            k.Rescaling([1.0, 2.0, 3.0]),
            k.Conv2D(2, 3),
        ),
        "views": lambda: chain(
            (5, 4, 3),
            k.Conv2D(4, 2),
            k.Reshape((-1, 4)),
            k.Permute((2, 1)),
            k.Reshape((4, 4, -1)),
            k.Conv2D(3, 2, padding="same"),
            k.Permute((3, 1, 2)),
            k.Flatten(),
            k.Dense(3),
        ),
        "resized": lambda: chain(
            (6, 5, 3),
            k.UpSampling2D((2, 3)),
            k.Resizing(9, 8),
            k.Conv2D(2, 1),
            k.UpSampling2D(2, interpolation="bicubic"),
            k.Resizing(5, 6, interpolation="nearest"),
            k.Cropping2D(((1, 0), (0, 2))),
        ),
        "dense-on-images": lambda: chain(
            (6, 5, 3),
            k.Conv2D(8, 3),
            k.Dense(6, activation="gelu"),
            k.LayerNormalization(),
            k.Softmax(axis=[1, 2]),
            k.Dense(4),
            k.ReLU(4.0, 0.1, 0.2),
        ),
        "squeezed": squeezed,
        "merged": merged,
        "shared": shared,
    }


def squeezed() -> Any:
    from keras import Input, Model
    from keras import layers as k

    image = Input((8, 8, 6))
    x = k.Conv2D(6, 3, padding="same")(image)
    scale = k.Reshape((1, 1, 6))(k.GlobalAveragePooling2D()(x))
    scale = k.Conv2D(6, 1, activation="sigmoid")(k.Conv2D(2, 1, activation="relu")(scale))
    return Model(image, k.GlobalMaxPooling2D()(k.Multiply()([x, scale])))


def merged() -> Any:
    from keras import Input, Model
    from keras import layers as k

    first, second, vector = Input((6, 5, 3)), Input((6, 5, 3)), Input((3,))
    x = k.Conv2D(3, 1)(first)
    pairs = [kind()([x, second]) for kind in (k.Add, k.Subtract, k.Multiply, k.Maximum)]
    joined = k.Concatenate()([*pairs, k.Average()([x, first, second]), k.Minimum()([first, second])])
    dots = k.Dot((2, 1))([k.Reshape((-1, 3))(x), vector])
    return Model([first, second, vector], [joined, dots, k.Dot(1, normalize=True)([vector, vector])])


def shared() -> Any:
    from keras import Input, Model
    from keras import layers as k

    first, second, inside = Input((6, 6, 2)), Input((6, 6, 2)), Input((4, 4, 3))
    convolution = k.Conv2D(3, 3)
    model = Model(inside, k.Dense(4, activation="tanh")(k.BatchNormalization()(inside)), name="inner")
    both = [model(convolution(image)) for image in (first, second)]
    total = k.Add()(both)
    return Model([first, second], {"total": total, "again": k.Dropout(0.5)(total), "first": both[0]})


def sequences() -> dict[str, Callable[[], Any]]:
    from keras import layers as k

    names = (
        "relu relu6 elu selu sigmoid tanh softplus softsign swish gelu hard_sigmoid hard_silu mish leaky_relu"
    )
    more = (
        "log_softmax softmax celu squareplus sparse_plus tanh_shrink hard_shrink soft_shrink log_sigmoid glu"
    )
    return {
        "activations": lambda: chain((10,), *(k.Dense(10, activation=n) for n in f"{names} {more}".split())),
        "words": lambda: chain(
            (7,), k.Embedding(20, 6), k.Conv1D(4, 3), k.GlobalMaxPooling1D(), dtype="int32"
        ),
        "words-that-count": lambda: chain(
            (7,), k.Embedding(20, 6, mask_zero=True), k.GlobalAveragePooling1D(), dtype="int32"
        ),
        "einsum": lambda: chain(
            (7, 6),
            k.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
            k.EinsumDense("abde,dec->abc", output_shape=(None, 4), activation="relu"),
        ),
        "repeated": lambda: chain((5,), k.Dense(4), k.RepeatVector(6), k.GRU(3)),
        "attention": attention,
        "attention-masked": attention_masked,
        "attention-plain": attention_plain,
        "operations": operations,
        "indexed": indexed,
    }


def attention() -> Any:
    from keras import Input, Model
    from keras import layers as k

    steps = Input((None, 6))
    x = k.MultiHeadAttention(2, 4, value_dim=5, use_bias=False)(steps, steps, use_causal_mask=True)
    x = k.LayerNormalization()(k.Add()([x, steps]))
    x, scores = k.MultiHeadAttention(3, 2, output_shape=8)(x, steps, return_attention_scores=True)
    return Model(steps, [k.GroupQueryAttention(4, 4, 2)(x, x), scores])


def attention_masked() -> Any:
    from keras import Input, Model
    from keras import layers as k

    words, mask = Input((7,), dtype="int32"), Input((7, 7), dtype="bool")
    x = k.Embedding(9, 6, mask_zero=True)(words)
    return Model([words, mask], k.MultiHeadAttention(2, 4)(x, x, attention_mask=mask))


def attention_plain() -> Any:
    from keras import Input, Model
    from keras import layers as k

    query, value = Input((7, 6)), Input((5, 6))
    found = [k.Attention(use_scale=True)([query, value]), k.AdditiveAttention()([query, value])]
    return Model([query, value], k.Concatenate()(found))


def operations() -> Any:
    from keras import Input, Model, ops

    given = Input((6, 5))
    x = ops.softmax(ops.matmul(given, ops.transpose(given, [0, 2, 1])) / 2.236, axis=-1)
    y = ops.matmul(x, given)
    total = ops.sum(ops.square(y), axis=-1)
    root = ops.expand_dims(ops.sqrt(total + 1e-3), -1)
    found = [y / root, ops.max(y, axis=1), 1.0 - total, y**2, ops.clip(y, -0.1, 0.1)]
    return Model(given, [*found, ops.stack([total, total], axis=1), ops.squeeze(root, -1)])


def indexed() -> Any:
    from keras import Input, Model, ops
    from keras import layers as k

    image = Input((6, 5, 3))
    x = k.Conv2D(4, 3, padding="same")(image)
    y = (ops.relu(x * 2.0 + 1.0) - x) / (ops.abs(x) + 1.0)
    y = ops.concatenate([y * ops.mean(y, axis=[1, 2], keepdims=True), x], axis=-1)[:, 1:, :, :3]
    flat = ops.reshape(ops.transpose(y, [0, 3, 1, 2]), [-1, 75])
    return Model(image, [flat, image[:, 0], image[:, -1, 1:3], image[..., ::2]])
