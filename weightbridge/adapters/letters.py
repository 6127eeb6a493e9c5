"""Axes as the maps of adapters name them: `i` and `j` (channels in), `o` and `h` (channels out), `x0`.. (taps)."""

import re

from weightbridge.model.graph import Layer
from weightbridge.model.layouts import split
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import RECURRENT

Letters = tuple[str, ...]
SPACE = ("d", "h", "w")
RENAMED = {"n": "h", "e": "o"}  # heads, and what a table has for each entry
ONE_CHANNEL = {"(c m)": "c", "1": "m"}
NUMBERED = re.compile(r"[xs]\d")  # taps, and the leading axes of a vector
KNOWN = frozenset({"i", "j", "o", "h", "c", "m", "v", "g", "u", "b"})


def letters(layer: Layer, tensor: Tensor) -> Letters:
    """One letter per axis, () where no map may change the tensor: its axes are not known, or not plain."""
    if tensor.role in layer.attributes.get("layouts", {}) and layer.op != "Dense":
        return ()  # stored in another order than the operation reads: only exact rules know it
    if layer.op in RECURRENT and "weights" in layer.attributes:
        return ()  # not Keras's order of gates
    names = split(tensor.axes)
    if "(c m)" in names:
        if layer.attributes.get("groups") != tensor.shape[0]:
            return ()  # channels and multiplier share one axis
        names = tuple(ONE_CHANNEL.get(name, name) for name in names)
    space = [name for name in names if name in SPACE]
    found = tuple(f"x{space.index(n)}" if n in SPACE else RENAMED.get(n, n) for n in names)
    return found if all(letter in KNOWN or NUMBERED.fullmatch(letter) for letter in found) else ()


def taps(found: Letters) -> Letters:
    """The spatial letters of a kernel."""
    return tuple(letter for letter in found if letter.startswith("x"))
