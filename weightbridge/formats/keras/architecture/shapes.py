"""Output shapes (without batch) of Keras layers, from their attributes and input shapes; None where it cannot
be known.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from weightbridge.formats.keras.architecture.windows import (
    per_axis,
    rank_of,
    slide,
    spatial,
    spread,
    with_channels,
)
from weightbridge.model.graph import Shape
from weightbridge.model.vocabulary import (
    BORDERS,
    CONVOLUTIONS,
    ELEMENTWISE_MERGES,
    INPUT_SCALING,
    NORMS,
    PASSING,
    RECURRENT,
)

Attributes = Mapping[str, Any]
Rule = Callable[[str, Attributes, Shape], Shape | None]
KEEPING_SHAPE = NORMS | PASSING | INPUT_SCALING | {"Activation", "Masking"}


def output_shape(
    op: str, class_name: str, found: Attributes, shapes: tuple[Shape | None, ...]
) -> Shape | None:
    """The shape that a layer gives for the shapes it is fed."""
    if not shapes:
        return None
    if op in ELEMENTWISE_MERGES:
        return _broadcast(shapes)
    if op == "Concat":
        return _concatenated(found, shapes)
    first = shapes[0]
    if first is None:
        return (found["units"],) if op in RECURRENT and not found["return_sequences"] else None
    if op in KEEPING_SHAPE:
        return first
    rule = RULES.get(op)
    return rule(class_name, found, first) if rule else None


def _window(found: Attributes) -> dict[str, tuple[int, ...]]:
    kernel = found["kernel_size"] if "kernel_size" in found else found["pool_size"]
    return {
        "kernel": kernel,
        "strides": found["strides"],
        "dilation": found.get("dilation", (1,) * len(kernel)),
    }


def _conv(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    sizes, layout = spatial(shape, found["data_format"]), found["data_format"]
    window = _window(found)
    if sizes is None or len(sizes) != len(window["kernel"]):
        return None
    channels = _channels(found, shape, layout)
    if class_name.endswith("Transpose"):
        after = (None,) * len(sizes) if "output_padding" in found else spread(sizes, found["padding"], window)
        return with_channels(after, channels, layout)
    return with_channels(slide(sizes, found["padding"], window), channels, layout)


def _channels(found: Attributes, shape: Shape, layout: str) -> int | None:
    if "filters" in found:
        return int(found["filters"])
    seen = shape[0] if layout == "channels_first" else shape[-1]
    return None if seen is None else seen * int(found.get("depth_multiplier", 1))


def _pool(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    sizes, layout = spatial(shape, found["data_format"]), found["data_format"]
    if sizes is None or len(sizes) != found["rank"]:
        return None
    return with_channels(
        slide(sizes, found["padding"], _window(found)),
        shape[0] if layout == "channels_first" else shape[-1],
        layout,
    )


def _global_pool(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    channels = shape[0] if found["data_format"] == "channels_first" else shape[-1]
    return (
        with_channels((1,) * (len(shape) - 1), channels, found["data_format"])
        if found["keepdims"]
        else (channels,)
    )


def _dense(_: str, found: Attributes, shape: Shape) -> Shape | None:
    return (*shape[:-1], found["units"])


def _recurrent(_: str, found: Attributes, shape: Shape) -> Shape | None:
    return (
        (shape[0], found["units"]) if found["return_sequences"] and len(shape) == 2 else (found["units"],)
    )  # steps, features


def _flatten(_: str, __: Attributes, shape: Shape) -> Shape | None:
    return (None if any(n is None for n in shape) else prod(n for n in shape if n is not None),)


def _reshape(_: str, found: Attributes, shape: Shape) -> Shape | None:
    target = found.get("shape")
    if not isinstance(target, tuple):
        return None
    known = prod(n for n in target if isinstance(n, int) and n > 0)
    total = None if any(n is None for n in shape) else prod(n for n in shape if n is not None)
    return tuple(
        (total // max(known, 1) if total is not None else None) if n in (-1, None) else int(n) for n in target
    )


def _permute(_: str, found: Attributes, shape: Shape) -> Shape | None:
    order = found.get("order")
    if not isinstance(order, tuple) or sorted(order) != list(range(1, len(shape) + 1)):
        return None
    return tuple(shape[i - 1] for i in order)


def _around(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    sizes, layout = spatial(shape, found["data_format"]), found["data_format"]
    if sizes is None or len(sizes) != len(found["padding"]):
        return None
    sign = 1 if "mode" in found else -1
    after = tuple(
        None if n is None else n + sign * sum(p) for n, p in zip(sizes, found["padding"], strict=True)
    )
    return with_channels(after, shape[0] if layout == "channels_first" else shape[-1], layout)


def _resize(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    if "scale" not in found:
        return (*found["size"], shape[-1])
    sizes, layout = spatial(shape, found["data_format"]), found["data_format"]
    factors = per_axis(found["scale"], rank_of(class_name))
    if sizes is None or len(sizes) != len(factors):
        return None
    after = tuple(None if n is None else n * f for n, f in zip(sizes, factors, strict=True))
    return with_channels(after, shape[0] if layout == "channels_first" else shape[-1], layout)


def _broadcast(shapes: tuple[Shape | None, ...]) -> Shape | None:
    known = [
        s for s in shapes if s is not None
    ]  # a shape that is not known is most likely that of its siblings
    if not known:
        return None
    rank = max(len(s) for s in known)
    axes = zip(*((1,) * (rank - len(s)) + s for s in known), strict=True)
    return tuple(next((n for n in axis if n != 1), 1) for axis in axes)


def _concatenated(found: Attributes, shapes: tuple[Shape | None, ...]) -> Shape | None:
    known, axis = [s for s in shapes if s is not None], found.get("axis", -1)
    if (
        len(known) < len(shapes)
        or len({len(s) for s in known}) != 1
        or not isinstance(axis, int)
        or axis == 0
    ):
        return None
    place = axis if axis < 0 else axis - 1 - len(known[0])
    lengths = [s[place] for s in known]
    total = None if any(n is None for n in lengths) else sum(n for n in lengths if n is not None)
    shape = list(known[0])
    shape[place] = total
    return tuple(shape)


def _attention(_: str, found: Attributes, shape: Shape) -> Shape | None:
    """As the query's, whose last axis it keeps where nothing else is asked for."""
    return (*shape[:-1], *found.get("output_shape", shape[-1:]))


def _einsum(_: str, found: Attributes, shape: Shape) -> Shape | None:
    inputs, _, output = found["equation"].partition("->")
    letters = inputs.partition(",")[0]
    if "." in found["equation"] or len(letters) != len(shape) + 1:
        return None
    told = found.get("output_shape", ())
    sizes = dict(zip(output[::-1], told[::-1], strict=False)) | {
        k: n for k, n in zip(letters[1:], shape, strict=True) if n is not None
    }
    return tuple(sizes.get(k) for k in output[1:])


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(CONVOLUTIONS, _conv),
    **dict.fromkeys(RECURRENT, _recurrent),
    **dict.fromkeys(BORDERS, _around),
    "Pool": _pool,
    "GlobalPool": _global_pool,
    "Dense": _dense,
    "Embedding": lambda _, found, shape: (*shape, found["output_dim"]),
    "Attention": _attention,
    "EinsumDense": _einsum,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Resize": _resize,
    "Repeat": lambda _, found, shape: (found.get("n"), *shape),
}
