"""Keras models whose layers must be the same again after ONNX and back: each layer class in several ways."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from onnx_models import chain

IMAGE, SIGNAL, VOLUME, STEPS = (12, 10, 4), (20, 4), (6, 8, 8, 2), (7, 5)
SPACES: Mapping[int, tuple[int, ...]] = {1: SIGNAL, 2: IMAGE, 3: VOLUME}
Build = Callable[[], Any]
Cases = dict[str, Build]


def layer(class_name: str, *args: Any, **settings: Any) -> Any:
    from keras import layers

    return getattr(layers, class_name)(*args, **settings)


def one(shape: tuple[int | None, ...], *told: Any) -> Build:
    """A chain of layers, each told as (class, arguments, settings) or by its class alone."""
    return lambda: chain(shape, *(_made(each) for each in told))


def _made(told: Any) -> Any:
    """("Bidirectional", ("LSTM", 3), {"merge_mode": "sum"}) -> the layer"""
    if isinstance(told, str):
        return layer(told)
    class_name, *given = told
    settings = given.pop() if given and isinstance(given[-1], dict) else {}
    return layer(class_name, *(_made(one) if _is_layer(one) else one for one in given), **settings)


def _is_layer(told: Any) -> bool:
    return isinstance(told, tuple) and bool(told) and isinstance(told[0], str)


def windows() -> Iterator[tuple[str, Build]]:
    """Convolutions, pools and borders over one to three axes."""
    ways = {
        "same": {"padding": "same"},
        "strides": {"strides": 2, "padding": "same"},
        "dilated": {"dilation_rate": 2, "activation": "gelu"},
        "bare": {"use_bias": False, "activation": "relu"},
        "groups": {"groups": 2},
    }
    for rank, shape in SPACES.items():
        for name, way in ways.items():
            yield f"conv{rank}-{name}", one(shape, (f"Conv{rank}D", 6, 3, way))
        yield f"transposed{rank}", one(shape, (f"Conv{rank}DTranspose", 4, 3, ways["strides"]))
        yield (
            f"pools{rank}",
            one(shape, f"MaxPooling{rank}D", (f"AveragePooling{rank}D", 2, {"padding": "same"})),
        )
        yield f"mean{rank}", one(shape, f"GlobalAveragePooling{rank}D")
        yield f"most{rank}", one(shape, (f"GlobalMaxPooling{rank}D", {"keepdims": True}))
        yield f"borders{rank}", one(shape, (f"ZeroPadding{rank}D", 2), (f"Cropping{rank}D", 1))
        yield (
            f"cropped{rank}",
            one(shape, (f"Conv{rank}D", 4, 2), (f"Cropping{rank}D", 1), (f"Conv{rank}D", 2, 2)),
        )
        yield f"larger{rank}", one(shape, (f"UpSampling{rank}D", 2))
        yield f"dropped{rank}", one(shape, (f"SpatialDropout{rank}D", 0.2), (f"Conv{rank}D", 2, 1))
    for rank in (1, 2):
        for name in ("same", "strides", "dilated"):
            yield f"depthwise{rank}-{name}", one(SPACES[rank], (f"DepthwiseConv{rank}D", 3, ways[name]))
            yield f"separable{rank}-{name}", one(SPACES[rank], (f"SeparableConv{rank}D", 5, 3, ways[name]))
    yield "causal", one(SIGNAL, ("Conv1D", 4, 3, {"padding": "causal", "dilation_rate": 2}))


def plain() -> Cases:
    """Norms, resizing, views, activations."""
    numbers = {"mean": [0.1, 0.2, 0.3, 0.4, 0.5], "variance": [1.0, 2.0, 3.0, 4.0, 5.0]}
    norms = {
        "batch": "BatchNormalization", "layer": "LayerNormalization", "rms": "RMSNormalization",
        "unit": "UnitNormalization", "unit-steps": ("UnitNormalization", {"axis": 1}),
        "group": ("GroupNormalization", 2), "instance": ("GroupNormalization", -1),
        "two-axes": ("LayerNormalization", {"axis": [-2, -1]}),
    }  # fmt: skip
    found = {f"norm-{name}": one((6, 4), told, ("Dense", 3)) for name, told in norms.items()}
    sizes = {"linear": {}, "nearest": {"interpolation": "nearest"}}
    found |= {
        f"resized-{name}-{size}": one(IMAGE, ("Resizing", *size, how), ("Conv2D", 2, 3))
        for name, how in sizes.items()
        for size in ((24, 20), (17, 23))
    }
    names = (
        "elu", "selu", "silu", "tanh", "sigmoid", "softplus", "mish", "exponential", "hard_silu",
        "celu", "hard_tanh", "hard_shrink", "soft_shrink", "log_sigmoid", "tanh_shrink", "squareplus",
        "sparse_plus",
    )  # fmt: skip
    found |= {
        f"by-name-{name}": one((6,), ("Dense", 4), ("Activation", name), ("Dense", 3, name)) for name in names
    }
    of_layers = ("ReLU", "LeakyReLU", ("ELU", 0.5), "Softmax", ("Softmax", {"axis": 1}), "PReLU")
    found |= {
        f"as-layer-{n}": one((5, 6), ("Dense", 6), told, ("Dense", 4)) for n, told in enumerate(of_layers)
    }
    return found | {
        "numbers": one((5,), ("Normalization", numbers), ("Dense", 2)),
        "numbers-back": one((5,), ("Dense", 5), ("Normalization", {**numbers, "invert": True})),
        "rescaled": one(IMAGE, ("Rescaling", 1 / 127.5, -1.0), ("Conv2D", 4, 3)),
        "views": one((4, 6), ("Reshape", (8, 3)), ("Dense", 5), ("Permute", (2, 1)), ("Dense", 3), "Flatten"),
        "turned": one((4, 6, 5), ("Permute", (3, 1, 2)), ("Dense", 5)),
        "repeated": one((4, 6), "Flatten", ("RepeatVector", 3), ("LSTM", 2)),
        "noise": one((5,), ("GaussianNoise", 0.1), ("Dense", 3), ("Dropout", 0.3)),
        "gate": one(
            IMAGE, ("Conv2D", 8, 3), ("GlobalAveragePooling2D", {"keepdims": True}), ("Dense", 2, "relu")
        ),
    }


def recurrent() -> Iterator[tuple[str, Build]]:
    """Each with masks, both directions, states."""
    for name in ("LSTM", "GRU", "SimpleRNN"):
        whole = {"return_sequences": True}
        yield f"{name}", one(STEPS, (name, 4, whole), (name, 3, {"use_bias": False}), ("Dense", 2))
        yield f"{name}-back", one(STEPS, (name, 4, {"go_backwards": True}), ("Dense", 2))
        yield f"{name}-turned", one(STEPS, (name, 4, {**whole, "go_backwards": True}), ("Dense", 2))
        yield f"{name}-masked", lambda name=name: masked(name)
        yield f"{name}-masking", one(STEPS, "Masking", (name, 4, whole), (name, 3))
        for mode in ("concat", "sum", "mul", "ave"):
            both = ("Bidirectional", (name, 3, whole), {"merge_mode": mode})
            yield f"{name}-both-{mode}", one(STEPS, both, ("Dense", 2))
        yield f"{name}-states", lambda name=name: with_states(name)
    yield "reset-before", one(STEPS, ("GRU", 4, {"reset_after": False}))


def masked(name: str) -> Any:
    from keras import Input, Model

    words = Input((7,), dtype="int32")
    x = layer("Embedding", 9, 6, mask_zero=True)(words)
    both = layer("Bidirectional", layer(name, 3, return_sequences=True))(x)
    return Model(words, [layer(name, 4)(x), layer("GlobalAveragePooling1D")(both)])


def with_states(name: str) -> Any:
    from keras import Input, Model

    steps = Input(STEPS)
    _, *states = layer(name, 4, return_state=True)(steps)
    return Model(steps, layer(name, 4, return_sequences=True)(layer("Dense", 5)(steps), initial_state=states))


def every_step() -> Cases:
    from keras import Sequential

    film = (4, 8, 8, 3)
    each = "TimeDistributed"
    inside = ("Conv2D", 4, 3), "BatchNormalization", "ReLU", "MaxPooling2D", "Flatten", ("Dense", 5)

    def of_model() -> Any:
        return chain(film, layer(each, Sequential([_made(told) for told in inside])), layer("LSTM", 3))

    return {
        "each-conv": one(film, (each, ("Conv2D", 4, 3)), (each, ("GlobalAveragePooling2D",)), ("LSTM", 3)),
        "each-dense": one(STEPS, (each, ("Dense", 4, "relu")), ("Dense", 2)),
        "each-flat": one(
            film, (each, ("Conv2D", 2, 3)), (each, ("BatchNormalization",)), (each, ("Flatten",)), ("GRU", 3)
        ),
        "each-lstm": one((3, 7, 5), (each, ("LSTM", 4)), ("LSTM", 2)),
        "each-model": of_model,
        "each-of-any": one(
            (None, 8, 8, 3), (each, ("Conv2D", 4, 3)), (each, ("GlobalMaxPooling2D",)), ("LSTM", 3)
        ),
    }


def joined() -> Cases:
    """Several inputs, layers that are called twice, attention."""
    from keras import Input, Model

    def merge(name: str, count: int) -> Any:
        inputs = [Input((6,), name=f"in{n}") for n in range(count)]
        return Model(inputs, layer(name)([layer("Dense", 4)(x) for x in inputs]))

    def dot(first: tuple[int, ...], second: tuple[int, ...], axes: Any) -> Any:
        inputs = [Input(first), Input(second)]
        return Model(inputs, layer("Dot", axes)(inputs))

    def shared() -> Any:
        inputs, dense = [Input((6,)), Input((6,))], layer("Dense", 4, activation="relu")
        return Model(inputs, layer("Concatenate")([dense(x) for x in inputs]))

    def transformer(*, causal: bool = False, told: bool = False) -> Any:
        x = Input((7, 6))
        mask = [Input((7, 7), dtype="bool")] if told else []
        given = {"attention_mask": mask[0]} if told else {"use_causal_mask": causal}
        y = layer("MultiHeadAttention", 2, 3, dropout=0.1)(x, x, **given)
        y = layer("LayerNormalization")(layer("Add")([x, y]))
        return Model([x, *mask], layer("Dense", 6, activation="gelu")(y))

    def alone(name: str, **given: Any) -> Any:
        inputs = [Input((7, 6)), Input((5, 6))]
        return Model(inputs, layer(name)(inputs, **given))

    counts = {
        "Add": 3,
        "Multiply": 2,
        "Average": 3,
        "Maximum": 3,
        "Minimum": 3,
        "Subtract": 2,
        "Concatenate": 3,
    }
    return {
        **{f"merge-{name}": lambda name=name, n=n: merge(name, n) for name, n in counts.items()},
        "merge-average-of-two": lambda: merge("Average", 2),
        "dot-vectors": lambda: dot((6,), (6,), 1),
        "dot-matrices": lambda: dot((5, 6), (6, 7), (2, 1)),
        "shared": shared,
        "query-value": lambda: alone("Attention"),
        "query-value-causal": lambda: alone("Attention", use_causal_mask=True),
        "query-value-sums": lambda: alone("AdditiveAttention"),
        "attention": transformer,
        "attention-causal": lambda: transformer(causal=True),
        "attention-masked": lambda: transformer(told=True),
    }


def all_cases() -> Cases:
    return {**dict(windows()), **plain(), **dict(recurrent()), **every_step(), **joined()}
