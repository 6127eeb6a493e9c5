"""What a dense layer's inputs were before they were flattened: the grid, and which axis runs fastest."""

from dataclasses import dataclass

from weightbridge.graph import Layer, LayerGraph

THROUGH = frozenset({"Activation", "Dropout", "Identity", "Cast", "Noise", "Masking"})


@dataclass(frozen=True, slots=True)
class Flattened:
    """channels and space of the map that was flattened; `channels_first` is the order in which its values were read out."""

    channels: int
    space: tuple[int, ...]
    channels_first: bool

    @property
    def lengths(self) -> dict[str, int]:
        """Axis lengths for a rule's pattern: c, and w, h w or d h w."""
        return {"c": self.channels, **dict(zip("dhw"[3 - len(self.space) :], self.space, strict=True))}


def flattened_input(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that was flattened into this layer's input, None where there is none or its shape is not known."""
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
    shape = layer.output_shape
    if shape is None or len(shape) < 2 or len(shape) > 4 or any(n is None for n in shape):
        return None
    known = tuple(int(n) for n in shape if n is not None)
    first = layer.attributes.get("data_format", "channels_first" if graph.framework != "keras" else "channels_last") == "channels_first"
    channels, space = (known[0], known[1:]) if first else (known[-1], known[:-1])
    return Flattened(channels, space, first != turned)
