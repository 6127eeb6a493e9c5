"""Layers that name their axes, fed a value whose batch and steps the source has as one axis.

Keras has two there: the layer is drawn for these, with its axes counted so, and the two are one again behind
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weightbridge.converting.from_graph.call import Builder, Call, Made
from weightbridge.converting.from_graph.layers.operations import BINARY
from weightbridge.converting.from_graph.layout import Layout, axis_of, with_source
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer

LIFTED = frozenset({"Slice", "Concat"})
REDUCING = "Reduce"


def made_by(builder: Builder, call: Call) -> Made:
    """What a builder makes of a call, with batch and steps apart where it names axes."""
    places = {_joined(value.layout) for value in call.inputs}
    (place,) = places if len(places) == 1 else (None,)
    if place is None or not (_names_axes(call.layer) or _has_constant(call, place)):
        return builder(call)
    inputs = tuple(value.seen(_with_two(value.layout, place)) for value in call.inputs)
    layer = _counted(call.layer, place, call.first.layout.rank)
    made = builder(replace(call, layer=layer, inputs=inputs))
    return tuple(map(_with_one, made)) if isinstance(made, tuple) else _with_one(made)


def _names_axes(layer: Layer) -> bool:
    if "item_size" in layer.settings:  # places in one row of all items: it works on that axis
        return False
    is_one = layer.op in LIFTED or layer.class_name.startswith(REDUCING)
    return is_one and layer.op not in ("GlobalPool", "Pool")


def _has_constant(call: Call, place: int) -> bool:
    """Whether it joins one value with a constant, whose axes are counted from the last one."""
    return not place and len(call.inputs) == 1 and call.layer.class_name in BINARY


def _joined(layout: Layout) -> int | None:
    """The source's axis that is the batch and the steps behind it."""
    found = [axis for axis, group in enumerate(layout.source) if layout.batch in group]
    group = layout.source[found[0]] if found else ()
    return found[0] if len(group) > 1 and group[0] == layout.batch else None


def _with_two(layout: Layout, place: int) -> Layout:
    group = layout.source[place]
    return with_source(layout, (*layout.source[:place], group[:1], group[1:], *layout.source[place + 1 :]))


def _with_one(value: Value) -> Value:
    source = value.layout.source
    place = next(axis for axis, group in enumerate(source) if value.layout.batch in group)
    joined = (*source[place], *source[place + 1])
    return value.seen(with_source(value.layout, (*source[:place], joined, *source[place + 2 :])))


def _counted(layer: Layer, place: int, rank: int) -> Layer:
    """The layer with one axis more in front of those behind the joined one."""
    attributes, details = (_moved(told, place, rank) for told in (layer.attributes, layer.details))
    return replace(layer, attributes=attributes, details=details)


def _moved(told: Mapping[str, Any], place: int, rank: int) -> dict[str, Any]:
    moved = dict(told)
    if isinstance(told.get("axis"), int):
        moved["axis"] = _one(told["axis"], place, rank)
    if isinstance(told.get("axes"), Sequence):
        moved["axes"] = tuple(_one(axis, place, rank) for axis in told["axes"])
    return moved


def _one(told: Any, place: int, rank: int) -> int:
    axis = axis_of(told, rank)
    if axis == place:
        raise Unsupported("works on an axis that is the batch and another")
    return axis + (axis > place)
