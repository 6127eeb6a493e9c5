"""What a dense layer's inputs were before they were flattened: the grid, and which axis runs fastest."""

from dataclasses import dataclass
from math import prod

from weightbridge.graph import Layer, LayerGraph

THROUGH = frozenset({"Activation", "Dropout", "Identity", "Cast", "Noise", "Masking"})


@dataclass(frozen=True, slots=True)
class Flattened:
    """channels and space of the map that was flattened, 0 and () where its shape is not known.

    `channels_first` is the order in which its values were read out.
    """

    channels: int
    space: tuple[int, ...]
    channels_first: bool

    @property
    def lengths(self) -> dict[str, int]:
        """Axis lengths for a rule's pattern: c, and w, h w or d h w."""
        return {"c": self.channels, **dict(zip("dhw"[3 - len(self.space) :], self.space, strict=True))}


def flatten_lengths(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> dict[str, int]:
    """The grid behind a Flatten where the two sides read it out in another order, else nothing."""
    if not source[1].op == target[1].op == "Dense":
        return {}
    a, b = flattened_input(*source), flattened_input(*target)
    if a is None or b is None or a.channels_first == b.channels_first:
        return {}
    known = b if b.channels else a
    return known.lengths if prod(known.space) > 1 and known.channels > 1 else {}


def reads_channels_first(graph: LayerGraph, layer: Layer) -> bool:
    found = flattened_input(graph, layer)
    return found is not None and found.channels_first


def flattened_input(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that was flattened into this layer's input, None where there is none."""
    crossed = False
    turned = False
    name = layer.name
    while len(graph.parents[name]) == 1:
        (name,) = graph.parents[name]
        found = graph.by_name[name]
        if found.op in ("Flatten", "Reshape"):
            crossed = True
        elif found.op == "Permute":
            turned = crossed != turned
        elif found.op not in THROUGH:
            return _shape(graph, found, turned) if crossed else None
    return None


def _shape(graph: LayerGraph, layer: Layer, turned: bool) -> Flattened | None:
    default = "channels_first" if graph.framework != "keras" else "channels_last"
    first = layer.attributes.get("data_format", default) == "channels_first"
    shape = layer.output_shape
    if shape is None or any(n is None for n in shape):
        return Flattened(0, (), first != turned) if shape is None or len(shape) > 1 else None
    if not 1 < len(shape) < 5:
        return None
    known = tuple(int(n) for n in shape if n is not None)
    channels, space = (known[0], known[1:]) if first else (known[-1], known[:-1])
    return Flattened(channels, space, first != turned)
