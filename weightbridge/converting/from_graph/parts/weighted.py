"""A value joined with a weight of several axes (a table of positions): an EinsumDense, which Keras trains."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.arrange import apart, one_by_one
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Layout, plain, with_ones_in_front
from weightbridge.converting.from_graph.source.parameters import trained
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

SAID = "a product or a sum with a weight for each place is an EinsumDense, which Keras trains"
Transform = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a weight stands against a value: Keras's letters for its long axes, and how it gets there.

    made: the letters of what comes of both, where an axis of length one may have grown.
    behind: those of all axes from its first one on, which a bias has.
    """

    letters: str
    made: str
    layout: Layout
    behind: str
    shape: tuple[int, ...]
    pattern: str
    lengths: dict[str, int]
    rows: tuple[int, ...] | None = None


def weighted(call: Call, tensor: Tensor, *, is_first: bool, rows: tuple[int, ...] | None = None) -> Value:
    """is_first: whether the weight stands on the left of a difference or a quotient.

    rows: those of the tensor that are joined, None for all as they are.
    """
    if rows is not None:
        tensor = replace(tensor, shape=(len(rows), *tensor.shape[1:]))
    seen = call.first.seen(with_ones_in_front(call.first.layout, len(tensor.shape)))
    value = apart(call.writer, seen, call.name)
    places = replace(_places(value, tensor), rows=rows)
    kind = call.layer.class_name
    if kind == "Div" and is_first:
        name = call.writer.operation("numpy.Reciprocal", f"{call.name}_reciprocal", {}, [value])
        value = value.after(name)
    letters = ascii_lowercase[: len(value.layout.keras)]
    is_sum = kind in ("Add", "Sub", "Sum")
    config: dict[str, Any] = {
        "equation": f"{letters},{places.letters}->{places.made}",
        "output_shape": list(places.layout.shape[1:]),
    }
    if is_sum:
        config["bias_axes"] = places.letters
    name, number = call.keras("EinsumDense", config, value)
    _put(call, name, places, tensor, kind=kind, is_first=is_first)
    trained(call, tensor, SAID, name)
    return value.after(name, number).seen(places.layout)


def _places(value: Value, tensor: Tensor) -> _Places:
    layout, shape, order = value.layout, tensor.shape, one_by_one(value.layout)
    first = layout.rank - len(shape)
    long = {first + n: length for n, length in enumerate(shape) if length > 1}
    axes = _axes(layout, tensor, long)
    made = {axis: length for axis, length in long.items() if layout.source_shape[axis] == 1}
    names = {axis: f"a{axis}" for axis in axes}
    letters = _letters(order, made)
    source = " ".join(names.get(first + n, "1") for n in range(len(shape)))
    return _Places(
        letters="".join(letters[order.index(axis)] for axis in axes),
        made=letters,
        layout=_grown(layout, made),
        behind=letters[order.index(axes[0]) :],
        shape=tuple(long[axis] for axis in axes),
        pattern=f"{source} -> {' '.join(names.values())}",
        lengths={names[axis]: long[axis] for axis in axes},
    )


def _axes(layout: Layout, tensor: Tensor, long: Mapping[int, int]) -> list[int]:
    """The source's axes along which the weight is long, in Keras's order; the value may be of length one."""
    lengths, order = layout.source_shape, one_by_one(layout)
    if min(long, default=0) < 0 or any(lengths[axis] not in (1, length) for axis, length in long.items()):
        message = f"joins a value with the weight {tensor.name} of shape {tensor.shape}, which is larger"
        raise Unsupported(message)
    axes = [axis for axis in order if axis in long]
    if not axes or axes[0] == order[0]:
        raise Unsupported(f"joins the batch with the weight {tensor.name}")
    return axes


def _letters(order: Sequence[int], grown: Mapping[int, int]) -> str:
    """A letter for each of Keras's axes, another one than before for those that grow from length one."""
    places = [place + (len(order) if axis in grown else 0) for place, axis in enumerate(order)]
    return "".join(ascii_lowercase[place] for place in places)


def _grown(layout: Layout, grown: Mapping[int, int]) -> Layout:
    lengths = [grown.get(axis, length) for axis, length in enumerate(layout.source_shape)]
    return plain(lengths, one_by_one(layout)) if grown else layout


def _put(call: Call, layer: str, places: _Places, tensor: Tensor, *, kind: str, is_first: bool) -> None:
    moved = _moved(places, places.pattern)
    if kind in ("Mul", "Div"):
        is_inverse = kind == "Div" and not is_first
        transform = _reciprocal(moved) if is_inverse else moved
        call.weight(layer, "kernel", places.shape, tensor, *transform)
        return
    sign = -1.0 if kind == "Sub" and is_first else 1.0
    constant = {"shape": list(places.shape), "value": sign}
    call.give(Weight(layer, "kernel", (), places.shape, "constant", constant))
    moved = _moved(places, _with_ones(places))
    transform = _negated(moved) if kind == "Sub" and not is_first else moved
    call.weight(layer, "bias", _from_first(places), tensor, *transform)


def _from_first(places: _Places) -> tuple[int, ...]:
    """A bias has all axes of the output from its first one on: those without a weight have length one."""
    sizes = dict(zip(places.letters, places.shape, strict=True))
    return tuple(sizes.get(letter, 1) for letter in places.behind)


def _with_ones(places: _Places) -> str:
    """The pattern with the axes of length one that a bias has between its own."""
    source, _, target = places.pattern.partition(" -> ")
    names = dict(zip(places.letters, target.split(), strict=True))
    return f"{source} -> {' '.join(names.get(letter, '1') for letter in places.behind)}"


def _moved(places: _Places, pattern: str) -> Transform:
    if places.rows is None:
        return pattern, dict(places.lengths)
    return "rows", {"axis": 0, "rows": list(places.rows), "pattern": pattern, **places.lengths}


def _negated(moved: Transform) -> Transform:
    return "negate", {**_plain(moved), **moved[1]}


def _reciprocal(moved: Transform) -> Transform:
    return "reciprocal", {**_plain(moved), **moved[1]}


def _plain(moved: Transform) -> dict[str, str]:
    if "->" not in moved[0]:
        raise Unsupported("subtracts rows of a table, or divides by them")
    return {"pattern": moved[0]}
