"""What a dense layer's inputs were before they were flattened: the grid, and which axis runs fastest."""

from dataclasses import dataclass
from math import prod

from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.layouts import data_format, keeps_channels_first, writes_matrices_turned
from weightbridge.model.vocabulary import BORDERS, CHANNEL_AFFINE, CONVOLUTIONS, PASSING, RESHAPES, VIEWS

THROUGH = PASSING | {"Activation", "Masking"}
ROUTES = THROUGH | BORDERS | {"Add", "BatchNorm", "Concat", "GroupNorm", "Multiply", "Pool"}


@dataclass(frozen=True, slots=True)
class Flattened:
    """channels and space of the map that was flattened, 0 and () where its shape is not known.

    `channels_first` is the order in which its values were read out, None where nothing tells. shape: as it
    was flattened.
    """

    channels: int
    space: tuple[int, ...]
    channels_first: bool | None
    shape: tuple[int, ...] = ()

    @property
    def lengths(self) -> dict[str, int]:
        """Axis lengths for a rule's pattern: c, and w, h w or d h w."""
        return {"c": self.channels, **dict(zip("dhw"[3 - len(self.space) :], self.space, strict=True))}


def flatten_lengths(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> dict[str, int]:
    """The grid behind a Flatten where the two sides read it out in another order, else nothing."""
    if not source[1].op == target[1].op == "Dense":
        return {}
    a, b = _both(source, target)
    if a is None or b is None or _first(a, b) == _first(b, a):
        return {}
    known = b if b.channels and b.channels_first is not None else a
    return known.lengths if prod(known.space) > 1 and known.channels > 1 else {}


def unflatten_lengths(
    source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]
) -> tuple[dict[str, int], bool]:
    """The grid that a Reshape makes of the layer's outputs where the two sides fill it in another order, and
    whether the source's is
    channels first; {} where there is none."""
    a, b = unflattened_output(*source), unflattened_output(*target)
    if a is None or b is None or _first(a, b) == _first(b, a):
        return {}, False
    known = b if b.channels else a
    return (known.lengths if prod(known.space) > 1 and known.channels > 1 else {}), bool(_first(a, b))


def unflattened_output(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that a vector becomes behind this layer, None where it stays a vector."""
    reshaped: Layer | None = None
    turned = False
    name = layer.name
    while len(graph.children[name]) == 1:
        (name,) = graph.children[name]
        found = graph.by_name[name]
        if found.op == "Reshape" and reshaped is None:
            reshaped = found
        elif found.op == "Permute" and reshaped is not None:
            turned = not turned
        elif found.op not in THROUGH | CHANNEL_AFFINE:
            return None if reshaped is None else _unflattened(graph, found, reshaped.output_shape, turned)
    return None


def _unflattened(
    graph: LayerGraph, reader: Layer, shape: tuple[int | None, ...] | None, turned: bool
) -> Flattened | None:
    """reader: the first layer that tells where it expects channels."""
    told = data_format(graph, reader)
    if shape is None and told is not None and not graph.has_flow and reader.op in CONVOLUTIONS:
        return Flattened(
            0, (), (told == "channels_first") != turned
        )  # weights alone: the layers' order tells, no shape does
    if told is None or shape is None or not 2 < len(shape) < 5 or any(n is None for n in shape):
        return None
    first = (told == "channels_first") != turned
    known = tuple(int(n) for n in shape if n is not None)
    channels, space = (known[0], known[1:]) if first else (known[-1], known[:-1])
    return Flattened(channels, space, first, known)


def reads_channels_first(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> bool:
    a, b = _both(source, target)
    return a is not None and b is not None and bool(_first(a, b))


def _both(
    source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]
) -> tuple[Flattened | None, Flattened | None]:
    """The maps on both sides. A state dict tells nothing of its own: torch flattens maps of channels with
    these first.
    """
    a, b = flattened_input(*source), flattened_input(*target)
    if _is_state_dict(source[0]) and b is not None and holds_channels(*target):
        return Flattened(0, (), True), b
    if _is_state_dict(target[0]) and a is not None and holds_channels(*source):
        return a, Flattened(0, (), True)
    return a, b


def _is_state_dict(graph: LayerGraph) -> bool:
    return writes_matrices_turned(graph) and not graph.has_flow


def holds_channels(graph: LayerGraph, layer: Layer) -> bool:
    """Whether what is flattened into this layer comes from convolutions, and not from steps of a sequence."""
    waiting, seen = list(graph.parents[layer.name]), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        op = graph.by_name[name].op
        if op in CONVOLUTIONS:
            return True
        if op in ROUTES | VIEWS:
            waiting += graph.parents[name]
        elif op == "Input":
            return (
                len(graph.by_name[name].output_shape or graph.by_name[name].attributes.get("shape") or ()) > 2
            )
    return False


def _first(one: Flattened, other: Flattened) -> bool | None:
    """The order of values; where nothing tells, the other's, or the opposite one where the shape is the
    other's with its channels moved.
    """
    if one.channels_first is not None or other.channels_first is None:
        return one.channels_first
    moved = (
        (*other.shape[1:], *other.shape[:1])
        if other.channels_first
        else (*other.shape[-1:], *other.shape[:-1])
    )
    return other.channels_first != (one.shape == moved != other.shape)


def flattened_input(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that was flattened into this layer's input, None where there is none."""
    crossed = False
    turned = False
    name = layer.name
    while len(graph.parents[name]) == 1:
        (name,) = graph.parents[name]
        found = graph.by_name[name]
        if found.op in RESHAPES:
            turned = turned != (
                not keeps_channels_first(graph) and found.op == "Flatten" and _is_first(found)
            )  # Keras turns it before
            crossed = True
        elif found.op == "Permute":
            turned = crossed != turned
        elif found.op not in THROUGH:
            return _shape(graph, found, turned) if crossed else None
    return None


def _is_first(layer: Layer) -> bool:
    return layer.attributes.get("data_format") == "channels_first"


def _shape(graph: LayerGraph, layer: Layer, turned: bool) -> Flattened | None:
    told = data_format(graph, layer)
    first = None if told is None else (told == "channels_first") != turned
    shape = layer.output_shape
    if shape is None or any(n is None for n in shape):
        return Flattened(0, (), first) if shape is None or len(shape) > 1 else None
    if not 1 < len(shape) < 5:
        return None
    known = tuple(int(n) for n in shape if n is not None)
    at_front = told == "channels_first"
    channels, space = (known[0], known[1:]) if at_front else (known[-1], known[:-1])
    return Flattened(channels, space, first, known)
