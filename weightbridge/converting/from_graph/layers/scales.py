"""Products with constants and sums: numbers for all, or one for each channel."""

from collections.abc import Mapping
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

from weightbridge.converting.from_graph.arrange import last_axis
from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.norms import place_of, with_axis
from weightbridge.converting.from_graph.layout import Layout, plain, with_ones_in_front
from weightbridge.converting.from_graph.source.kernels import flat, vector_of, with_ones
from weightbridge.converting.from_graph.source.parameters import trained
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.values import Weight
from weightbridge.errors import Unsupported
from weightbridge.model.tensors import Tensor

GROWN = "z"  # the letter of an axis that grows from length one
SAME = {"scale": 1.0, "offset": 0.0}
SCALED = "a product and a sum for each channel are an EinsumDense, which Keras trains"


def _rescaling(call: Call) -> Value:
    config = {"scale": float(call.settings["scale"]), "offset": float(call.settings["offset"])}
    if config == SAME and "float" in call.first.dtype:
        return call.first
    name = call.writer.layer("Rescaling", call.name, config, call.first)
    return call.first.after(name)


def _per_channel(call: Call) -> Value:
    """EinsumDense("abcd,d->abcd"): a number for each place of one axis, with a bias where one is added."""
    axis = int(call.settings["axis"])
    call = _with_rank_of(call)
    scale, shift = call.tensor("scale"), call.tensor("shift")
    value = _with_axis(call, axis, has_bias=shift is not None)
    place = place_of(value, axis) % len(value.layout.keras)
    letters = ascii_lowercase[: len(value.layout.keras)]
    size = max(tensor.size for tensor in (scale, shift) if tensor is not None)
    is_grown = value.layout.shape[place] == 1 < size
    made = _grown(value, axis, size) if is_grown else value.layout
    own = GROWN if is_grown else letters[place]
    config: dict[str, Any] = {
        "equation": f"{letters},{own}->{letters.replace(letters[place], own)}",
        "output_shape": list(made.shape[1:]),
    }
    if shift is not None:
        config["bias_axes"] = own
    name, number = call.keras("EinsumDense", config, value)
    if scale is None:
        parameters = {"shape": [size], "value": 1.0}
        call.give(Weight(name, "kernel", (), (size,), "constant", parameters))
    else:
        _put(call, name, "kernel", scale, (made, place), axis)
    if shift is not None:
        _put(call, name, "bias", shift, (made, place), axis)
    for tensor in filter(None, (scale, shift)):
        trained(call, tensor, SCALED, name)
    return value.after(name, number).seen(made)


def _grown(value: Value, axis: int, size: int) -> Layout:
    """An axis of length one that becomes as long as the numbers along it."""
    shape, order = list(value.layout.source_shape), value.layout.order
    if order is None:
        raise Unsupported("grows along an axis that Keras does not have apart")
    shape[value.layout.axis(axis)] = size
    return plain(shape, order)


def _with_axis(call: Call, axis: int, *, has_bias: bool) -> Value:
    """On TensorFlow, Keras adds a bias of shape (4, 1) along the last axis where that has length 4 too."""
    value = with_axis(call, axis)
    place, shape = place_of(value, axis), value.layout.shape
    if place == 0:
        raise Unsupported("joins the batch with a number for each of its items")
    is_alike = has_bias and place != -1 and shape[place] in (shape[-1], None)
    return last_axis(call.writer, value, axis, call.name) if is_alike else value


def _with_rank_of(call: Call) -> Call:
    """A constant of more axes than the value puts axes of length one in front of it."""
    ranks = [len(tensor.shape) for role in ("scale", "shift") if (tensor := call.tensor(role)) is not None]
    layout = call.first.layout
    return replace(call, inputs=(call.first.seen(with_ones_in_front(layout, max(ranks, default=0))),))


def _put(call: Call, layer: str, role: str, tensor: Tensor, made: tuple[Layout, int], axis: int) -> None:
    """A bias has all axes of the output from its own one on, the others with length one.

    made: what the layer gives, and which of Keras's axes has the numbers.
    """
    layout, place = made
    behind = len(layout.keras) - 1 - place if role == "bias" else 0
    shape = (tensor.size, *(1 for _ in range(behind)))
    if not call.settings.get("is_inverse"):
        call.weight(layer, role, shape, tensor, *with_ones(vector_of(tensor, layout, axis), behind))
        return
    transform, parameters = with_ones(flat(tensor), behind)
    inverse = "negate" if role == "bias" else "reciprocal"
    call.weight(layer, role, shape, tensor, inverse, {"pattern": transform, **parameters})


BUILDERS: Mapping[str, Builder] = {
    "Rescaling": _rescaling,
    "Scale": _per_channel,
    "Shift": _per_channel,
}
