"""Maps of another size: UpSampling and Resizing where Keras finds pixels as the source does.

Else rows and columns are picked by number, or made by a product with a matrix that is not trained.
"""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layout import Length, plain
from weightbridge.converting.from_graph.maps.resized_lengths import scales_of, sizes_of
from weightbridge.converting.from_graph.source.own import made_here
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.transforms.interpolation import is_in_table, nearest

# how the source finds pixels, where UpSampling repeats them whatever the length is, by up to so many
REPEATED = {
    ("asymmetric", "floor"): 1 << 16, ("half_pixel", "round_prefer_floor"): 1 << 16,
    ("half_pixel", "round_prefer_ceil"): 1 << 16, ("asymmetric", "round_prefer_floor"): 2,
}  # fmt: skip
CENTRES = frozenset({"half_pixel", "pytorch_half_pixel"})
KNOWN = CENTRES | {"asymmetric", "align_corners", "half_pixel_symmetric", "tf_half_pixel_for_nn"}
MODES = {"bilinear": "linear", "bicubic": "cubic"}
OF_RESIZING = ("half_pixel", "round_prefer_ceil")  # Keras's, by the nearest pixel
KERAS_CUBIC = -0.5
LONGEST = 4096  # pixels of an axis that a matrix makes
SAID = "a resizing as no layer of Keras's does it is a product with matrices that are not trained"


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis that changes: its place in Keras, its lengths, and by how much it grows."""

    place: int
    before: Length
    after: Length
    scale: float | None

    @property
    def is_known(self) -> bool:
        return None not in (self.before, self.after, self.scale)

    @property
    def is_whole(self) -> bool:
        """Whether each pixel comes so many times."""
        is_number = self.scale is not None and self.scale == int(self.scale)
        return is_number and (self.before is None or self.after == self.before * int(self.scale or 1))

    @property
    def is_by_size(self) -> bool:
        """Whether the two lengths say how much it grows, as they do for Keras."""
        return self.is_known and abs((self.after or 0) - (self.scale or 0) * (self.before or 0)) < 1e-3


def _resize(call: Call) -> Value:
    value = apart(call.writer, call.first, call.name)
    order = one_by_one(value.layout)
    sizes = sizes_of(call, value)
    scales = scales_of(call, value, sizes)
    before = value.layout.source_shape
    axes = [_Axis(n, before[axis], sizes[axis], scales[axis]) for n, axis in enumerate(order)]
    changed = [axis for axis in axes if axis.scale != 1.0]
    if not changed:
        return value
    if not {axis.place for axis in changed} <= set(range(1, len(order) - 1)):
        raise Unsupported("changes the number of channels, or the batch")
    _refuse_other_ways(call)
    name = _by_layer(call, value, axes[1:-1])
    made = value.after(name) if name is not None else _by_axes(call, value, changed)
    return made.seen(plain(sizes, order))


def _refuse_other_ways(call: Call) -> None:
    settings = call.settings
    how, coordinates = settings.get("interpolation", "nearest"), _coordinates(call)
    if settings.get("antialias") or settings.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported("resizes with antialias, or keeps the ratio of the sides")
    if coordinates not in KNOWN or (how != "nearest" and how not in MODES):
        raise Unsupported(f"resizes by {how} with {coordinates} pixels, as no layer of Keras's does")


def _coordinates(call: Call) -> str:
    return str(call.settings.get("coordinate_transformation", "half_pixel"))


def _by_layer(call: Call, value: Value, axes: Sequence[_Axis]) -> str | None:
    """A layer of Keras's own; None where there is none that finds pixels as the source does."""
    how, rank = str(call.settings.get("interpolation", "nearest")), len(axes)
    is_centred = _coordinates(call) in CENTRES
    if rank == 2 and _is_to_size(call, axes):
        return _resizing(call, value, how, axes)
    if how == "nearest":
        is_repeated = 1 <= rank <= 3 and all(_repeats(call, axis) for axis in axes)
        return _upsampling(call, value, how, axes) if is_repeated else None
    if rank != 2 or not is_centred or (how == "bicubic" and not _is_cubic_of_keras(call, axes)):
        return None
    return _between(call, value, how, axes)


def _between(call: Call, value: Value, how: str, axes: Sequence[_Axis]) -> str | None:
    """By pixels between the source's."""
    is_seen = how == "bilinear" or all(is_in_table(8, 8 * int(axis.scale or 1)) for axis in axes)
    if is_seen and all(axis.is_whole for axis in axes):
        return _upsampling(call, value, how, axes)
    return _resizing(call, value, how, axes) if all(axis.is_by_size for axis in axes) else None


def _is_to_size(call: Call, axes: Sequence[_Axis]) -> bool:
    """Whether it is Resizing as the own writer says it, which tells sizes; other exporters tell them too."""
    how, is_own = str(call.settings.get("interpolation", "nearest")), made_here(call.source)
    if not all(axis.is_by_size for axis in axes) or not isinstance(call.settings.get("sizes"), tuple):
        return False
    if how == "nearest":
        return is_own and (_coordinates(call), _rounding(call)) == OF_RESIZING
    return (
        is_own
        and _coordinates(call) == "half_pixel"
        and (how == "bilinear" or _is_cubic_of_keras(call, axes))
    )


def _resizing(call: Call, value: Value, how: str, axes: Sequence[_Axis]) -> str:
    config = {"height": axes[0].after, "width": axes[1].after, "interpolation": how}
    return call.writer.layer("Resizing", call.name, config, value)


def _is_cubic_of_keras(call: Call, axes: Sequence[_Axis]) -> bool:
    """TensorFlow rounds the places between pixels, which is no difference where they are whole steps."""
    is_excluding = bool(call.settings.get("exclude_outside"))
    is_exact = all(not axis.is_known or is_in_table(axis.before or 1, axis.after or 1) for axis in axes)
    return is_excluding and is_exact and call.settings.get("cubic_coefficient") == KERAS_CUBIC


def _repeats(call: Call, axis: _Axis) -> bool:
    if not axis.is_whole:
        return False
    most = REPEATED.get((_coordinates(call), _rounding(call)), 0)
    is_short = axis.is_known and (axis.after or 0) <= LONGEST
    return (axis.scale or 0) <= most or (is_short and _picked(call, axis) == _repeated(axis))


def _repeated(axis: _Axis) -> list[int]:
    return [n // int(axis.scale or 1) for n in range(axis.after or 0)]


def _rounding(call: Call) -> str:
    return str(call.settings.get("rounding", "floor"))


def _upsampling(call: Call, value: Value, how: str, axes: Sequence[_Axis]) -> str:
    factors = [int(axis.scale or 1) for axis in axes]
    config: dict[str, Any] = {"size": factors[0] if len(axes) == 1 else factors}
    if len(axes) == 2:
        config["interpolation"] = how
    return call.writer.layer(f"UpSampling{len(axes)}D", call.name, config, value)


def _by_axes(call: Call, value: Value, axes: Sequence[_Axis]) -> Value:
    """One axis after the other: picked by number, or made by a matrix."""
    for axis in axes:
        if not axis.is_known or max(axis.before or 0, axis.after or 0) > LONGEST:
            lengths = f"from {axis.before} to {axis.after}"
            raise Unsupported(f"resizes an axis {lengths}, which is not known, or longer than {LONGEST}")
        is_nearest = call.settings.get("interpolation", "nearest") == "nearest"
        value = _taken(call, value, axis) if is_nearest else _made(call, value, axis)
    return value


def _picked(call: Call, axis: _Axis) -> list[int]:
    told = (axis.before or 0, axis.after or 0, axis.scale or 1.0)
    return nearest(*told, _coordinates(call), _rounding(call))


def _taken(call: Call, value: Value, axis: _Axis) -> Value:
    picked, name = _picked(call, axis), f"{call.name}_{axis.place}"
    layer = call.writer.operation("numpy.Take", name, {"axis": axis.place}, [value, picked])
    return _longer(value, axis, layer)


def _made(call: Call, value: Value, axis: _Axis) -> Value:
    """EinsumDense("abcd,be->aecd")"""
    letters = ascii_lowercase[: len(value.layout.keras)]
    old, new = letters[axis.place], ascii_lowercase[len(letters)]
    shape = [axis.after if n == axis.place else length for n, length in enumerate(value.layout.shape)]
    equation = f"{letters},{old}{new}->{letters.replace(old, new)}"
    config = {"equation": equation, "output_shape": shape[1:]}
    name = call.writer.layer("EinsumDense", f"{call.name}_{axis.place}", config, value)
    call.writer.fix(name)
    call.writer.rewrote(SAID, name)
    size = (axis.before or 0, axis.after or 0)
    settings = call.settings
    told = {
        "length": size[0],
        "size": size[1],
        "scale": axis.scale,
        "coordinates": _coordinates(call),
        "mode": MODES[str(settings.get("interpolation"))],
        "cubic": float(settings.get("cubic_coefficient") or -0.75),
        "exclude": bool(settings.get("exclude_outside")),
    }
    call.give(Weight(name, "kernel", (), size, "interpolation", told))
    return _longer(value, axis, name)


def _longer(value: Value, axis: _Axis, layer: str) -> Value:
    order = one_by_one(value.layout)
    shape = list(value.layout.source_shape)
    shape[order[axis.place]] = axis.after
    return value.after(layer).seen(plain(shape, order))


BUILDERS: Mapping[str, Builder] = {"Resize": _resize}
