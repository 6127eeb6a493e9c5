"""Axes as the maps of adapters name them.

Channels in `i` and `j`, channels out `o` and `h`, taps `x0`..
"""

import re

from weightbridge.adapters.projections import projection_letters
from weightbridge.model.graph import Layer
from weightbridge.model.layouts import AxisNames, split
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
    if not _is_plain(layer, tensor):
        return ()
    projected = projection_letters(layer, tensor)
    if projected:
        return projected
    names = split(tensor.axes)
    if "(c m)" in names and layer.attributes.get("groups") == tensor.shape[0]:
        names = tuple(ONE_CHANNEL.get(name, name) for name in names)  # each group has one output
    renamed = tuple(_letter(name, names) for name in names)
    return renamed if all(letter in KNOWN or NUMBERED.fullmatch(letter) for letter in renamed) else ()


def _is_plain(layer: Layer, tensor: Tensor) -> bool:
    """Not where only exact rules know the order, of axes that the operation reads otherwise or of gates."""
    if layer.op in RECURRENT:
        return "weights" not in layer.attributes  # Keras's order of gates
    return layer.op == "Dense" or tensor.role not in layer.attributes.get("layouts", {})


def _letter(name: str, names: AxisNames) -> str:
    if name not in SPACE:
        return RENAMED.get(name, name)
    return f"x{[n for n in names if n in SPACE].index(name)}"


def of_rank(found: Letters, other: Letters) -> Letters:
    """The letters with taps counted as in a kernel of more axes: those that it has besides come first.

    `x0 x1 i o` beside `x0 x1 x2 i o` is `x1 x2 i o`.
    """
    added = len(taps(other)) - len(taps(found))
    if added <= 0 or not taps(found):
        return found
    return tuple(f"x{int(x[1:]) + added}" if x.startswith("x") else x for x in found)


def taps(found: Letters) -> Letters:
    """The spatial letters of a kernel."""
    return tuple(letter for letter in found if letter.startswith("x"))
