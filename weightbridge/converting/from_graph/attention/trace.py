"""A projection's values followed to a product: which of its channels each head has, and on which axes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from weightbridge.boundary.records import dataclass
from weightbridge.converting.from_graph.call import Call
from weightbridge.converting.from_graph.layout import Group, Layout, with_source
from weightbridge.converting.from_graph.parts.indexing import cuts_of
from weightbridge.converting.from_graph.values import Value
from weightbridge.converting.from_graph.views import BUILDERS as VIEWS
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Layer
from weightbridge.model.tensors import Array

NO_ATTENTION = "is no attention that Keras has a layer for"


@dataclass(frozen=True, slots=True)
class Followed:
    """layout: Keras's axes are the batch, the steps and the channels. channels: their numbers in the
    projection, by the atoms that they are cut into. scale: the product of all factors on the way.
    """

    layout: Layout
    channels: Array
    scale: float = 1.0


def start(layout: Layout) -> Followed:
    """At the projection itself."""
    size = layout.length(layout.keras[-1])
    return Followed(layout, np.arange(size or 1))


def followed(at: Followed, layers: Sequence[Layer], call: Call) -> Followed:
    """Raises Unsupported for a step that mixes values."""
    for layer in layers:
        if layer.op == "Rescaling":
            at = replace(at, scale=at.scale * factor_of(layer))
        elif layer.op == "Slice":
            at = _sliced(at, layer, call)
        elif layer.op != "Dropout":
            layout = viewed(at.layout, layer, call)
            lengths = [layout.lengths[atom] or 1 for atom in layout.keras[-1]]
            at = Followed(layout, at.channels.reshape(lengths), at.scale)
    return at


def viewed(layout: Layout, layer: Layer, call: Call) -> Layout:
    """What a layer that moves no value makes of a layout."""
    seen = Value("", 0, 0, layout)
    made = VIEWS[layer.op](replace(call, layer=layer, inputs=(seen,), keywords=("",)))
    if not isinstance(made, Value) or made.layer:
        raise Unsupported(NO_ATTENTION)
    return made.layout


def factor_of(layer: Layer) -> float:
    if layer.attributes.get("offset"):
        raise Unsupported(NO_ATTENTION)
    return float(layer.attributes["scale"])


def _sliced(at: Followed, layer: Layer, call: Call) -> Followed:
    """One index, or a run, of an axis that is one atom of the channels."""
    axis, taken, is_one = _taken(at, layer, call)
    group = at.layout.source[axis]
    place = at.layout.keras[-1].index(group[0]) if len(group) == 1 and group[0] in at.layout.keras[-1] else -1
    if place < 0:
        raise Unsupported(NO_ATTENTION)
    channels = np.moveaxis(at.channels, place, 0)[taken]
    if is_one or channels.shape[0] == 1:
        layout = without(at.layout, group[0], axis, keeps_axis=not is_one)
        return replace(at, layout=layout, channels=channels if is_one else channels[0])
    lengths = list(at.layout.lengths)
    lengths[group[0]] = channels.shape[0]
    layout = Layout(tuple(lengths), at.layout.source, at.layout.keras)
    return replace(at, layout=layout, channels=np.moveaxis(channels, 0, place))


def _taken(at: Followed, layer: Layer, call: Call) -> tuple[int, int | slice, bool]:
    """The axis, what is taken of it, and whether it is one index."""
    index = layer.settings.get("indices")
    if isinstance(index, int):
        return at.layout.axis(int(layer.settings.get("axis", 0))), index, True
    told = replace(call, layer=layer, inputs=(Value("", 0, 0, at.layout),), keywords=("",))
    cuts = cuts_of(told)
    if len(cuts) != 1:
        raise Unsupported(NO_ATTENTION)
    ((axis, cut),) = cuts.items()
    return axis, cut if isinstance(cut, int) else slice(*cut), isinstance(cut, int)


def without(layout: Layout, atom: int, axis: int, *, keeps_axis: bool) -> Layout:
    """Without one atom, which is a whole axis of the source; keeps_axis: that has one place then."""

    def less(group: Group) -> Group:
        return tuple(one - (one > atom) for one in group if one != atom)

    lengths = (*layout.lengths[:atom], *layout.lengths[atom + 1 :])
    groups = enumerate(layout.source)
    source = tuple(less(group) for place, group in groups if keeps_axis or place != axis)
    return with_source(Layout(lengths, source, tuple(map(less, layout.keras))), source)
