"""Output shapes (without batch) of Keras layers, from their attributes and input shapes.

None where it cannot be known.
"""

from collections.abc import Callable, Mapping, Sequence
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
    channels = _channel(shape, layout)
    return None if channels is None else channels * int(found.get("depth_multiplier", 1))


def _channel(shape: Shape, layout: str) -> int | None:
    """How many channels a shape has."""
    return shape[0] if layout == "channels_first" else shape[-1]


def _pool(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    layout = found["data_format"]
    sizes = spatial(shape, layout)
    if sizes is None or len(sizes) != found["rank"]:
        return None
    after = slide(sizes, found["padding"], _window(found))
    return with_channels(after, _channel(shape, layout), layout)


def _global_pool(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    layout = found["data_format"]
    channels = _channel(shape, layout)
    if not found["keepdims"]:
        return (channels,)
    return with_channels((1,) * (len(shape) - 1), channels, layout)


def _dense(_: str, found: Attributes, shape: Shape) -> Shape | None:
    return (*shape[:-1], found["units"])


def _recurrent(_: str, found: Attributes, shape: Shape) -> Shape | None:
    has_steps = found["return_sequences"] and len(shape) == 2  # steps, features
    return (shape[0], found["units"]) if has_steps else (found["units"],)


def _flatten(_: str, __: Attributes, shape: Shape) -> Shape | None:
    return (_size(shape),)


def _size(shape: Shape) -> int | None:
    """The number of elements, None where a length is not known."""
    known = [length for length in shape if length is not None]
    return prod(known) if len(known) == len(shape) else None


def _reshape(_: str, found: Attributes, shape: Shape) -> Shape | None:
    target = found.get("shape")
    if not isinstance(target, tuple):
        return None
    total = _size(shape)
    known = prod(length for length in target if isinstance(length, int) and length > 0)
    rest = None if total is None else total // max(known, 1)
    return tuple(rest if length in (-1, None) else int(length) for length in target)


def _permute(_: str, found: Attributes, shape: Shape) -> Shape | None:
    order = found.get("order")
    if not isinstance(order, tuple) or sorted(order) != list(range(1, len(shape) + 1)):
        return None
    return tuple(shape[i - 1] for i in order)


def _around(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    layout, padding = found["data_format"], found["padding"]
    sizes = spatial(shape, layout)
    if sizes is None or len(sizes) != len(padding):
        return None
    sign = 1 if "mode" in found else -1
    added = [sign * sum(sides) for sides in padding]
    after = tuple(None if n is None else n + more for n, more in zip(sizes, added, strict=True))
    return with_channels(after, _channel(shape, layout), layout)


def _resize(class_name: str, found: Attributes, shape: Shape) -> Shape | None:
    if "scale" not in found:
        return (*found["size"], shape[-1])
    layout = found["data_format"]
    sizes, factors = spatial(shape, layout), per_axis(found["scale"], rank_of(class_name))
    if sizes is None or len(sizes) != len(factors):
        return None
    after = tuple(None if n is None else n * factor for n, factor in zip(sizes, factors, strict=True))
    return with_channels(after, _channel(shape, layout), layout)


def _broadcast(shapes: tuple[Shape | None, ...]) -> Shape | None:
    # a shape that is not known is most likely that of its siblings
    known = [shape for shape in shapes if shape is not None]
    if not known:
        return None
    rank = max(len(shape) for shape in known)
    axes = zip(*((1,) * (rank - len(shape)) + shape for shape in known), strict=True)
    return tuple(next((length for length in axis if length != 1), 1) for axis in axes)


def _concatenated(found: Attributes, shapes: tuple[Shape | None, ...]) -> Shape | None:
    known, axis = [shape for shape in shapes if shape is not None], found.get("axis", -1)
    ranks = {len(shape) for shape in known}
    if len(known) < len(shapes) or len(ranks) != 1 or not isinstance(axis, int) or axis == 0:
        return None
    place = axis if axis < 0 else axis - 1 - len(known[0])
    joined = list(known[0])
    joined[place] = _total([shape[place] for shape in known])
    return tuple(joined)


def _total(lengths: Sequence[int | None]) -> int | None:
    """Their sum, None where one is not known."""
    known = [length for length in lengths if length is not None]
    return sum(known) if len(known) == len(lengths) else None


def _attention(_: str, found: Attributes, shape: Shape) -> Shape | None:
    """As the query's, whose last axis it keeps where nothing else is asked for."""
    return (*shape[:-1], *found.get("output_shape", shape[-1:]))


def _einsum(_: str, found: Attributes, shape: Shape) -> Shape | None:
    inputs, _, output = found["equation"].partition("->")
    letters = inputs.partition(",")[0]
    if "." in found["equation"] or len(letters) != len(shape) + 1:
        return None
    told = found.get("output_shape", ())
    fed = zip(letters[1:], shape, strict=True)
    sizes = dict(zip(output[::-1], told[::-1], strict=False))
    sizes |= {letter: length for letter, length in fed if length is not None}
    return tuple(sizes.get(letter) for letter in output[1:])


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
