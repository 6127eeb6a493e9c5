"""Normalization by a mean and a variance that are known: both are numbers of the configuration."""

from collections.abc import Mapping

import numpy as np

from weightbridge.converting.from_graph.call import Builder, Call
from weightbridge.converting.from_graph.layers.norms import place_of, with_axis
from weightbridge.converting.from_graph.source.constants import CARRIED, MOST
from weightbridge.converting.from_graph.values import Value
from weightbridge.errors import Unsupported


def _normalization(call: Call) -> Value:
    """One number of each for each place of an axis."""
    axis = int(call.settings["axis"])
    value = with_axis(call, axis)
    numbers = {role: _numbers(call, role) for role in ("mean", "variance")}
    config = {"axis": place_of(value, axis), **numbers, "invert": bool(call.settings["invert"])}
    return value.after(call.writer.layer("Normalization", call.name, config, value))


def _numbers(call: Call, role: str) -> list[float]:
    tensor, layout = call.needed(role), call.first.layout
    group = layout.source[layout.axis(int(call.settings["axis"]))]
    if tensor.size > MOST or len(group) > 1 or tensor.size != layout.length(group):
        raise Unsupported(f"normalises by {tensor.name} of shape {tensor.shape}, which is of several axes")
    call.writer.carried(tensor.name, CARRIED)
    return [float(number) for number in np.asarray(tensor.load()).ravel()]


CLASSES: Mapping[str, Builder] = {"Normalization": _normalization}
