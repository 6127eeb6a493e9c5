"""What a dense layer's inputs were before they were flattened: the grid, and which axis runs fastest."""

import re
from collections.abc import Iterator, Mapping
from math import prod

from weightbridge.boundary.records import dataclass
from weightbridge.model.graph import Layer, LayerGraph, Shape
from weightbridge.model.layouts import data_format, keeps_channels_first, writes_matrices_turned
from weightbridge.model.vocabulary import BORDERS, CHANNEL_AFFINE, CONVOLUTIONS, PASSING, RESHAPES, VIEWS

THROUGH = PASSING | {"Activation", "Masking"}
ROUTES = THROUGH | BORDERS | {"Add", "BatchNorm", "Concat", "GroupNorm", "Multiply", "Pool"}


_MAP = re.compile(r"\(c [dhw]")


def turns_map(transform: str) -> bool:
    """Whether a pattern reads a flattened map in another order: `o (c h w) -> (h w c) o`.

    The joined channels of a depthwise kernel, `(c m) 1 h w -> h w c m`, are no map.
    """
    return _MAP.search(transform) is not None


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

    @property
    def is_grid(self) -> bool:
        """Whether it has several channels and several places, so that their order counts."""
        return prod(self.space) > 1 and self.channels > 1


def flatten_lengths(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> dict[str, int]:
    """The grid behind a Flatten where the two sides read it out in another order, else nothing."""
    if not source[1].op == target[1].op == "Dense":
        return {}
    theirs, ours = _both(source, target)
    if theirs is None or ours is None or _first(theirs, ours) == _first(ours, theirs):
        return {}
    known = ours if ours.channels and ours.channels_first is not None else theirs
    return known.lengths if known.is_grid else {}


def is_other_grid(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> bool:
    """Whether both sides show the map behind a Flatten, as long in all, and it is another one."""
    theirs, ours = flattened_input(*source), flattened_input(*target)
    if theirs is None or ours is None or None in (theirs.channels_first, ours.channels_first):
        return False
    are_known = min(theirs.channels, ours.channels) > 1 and len(theirs.space) == len(ours.space)
    return are_known and (theirs.channels, theirs.space) != (ours.channels, ours.space)


def unflatten_lengths(
    source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]
) -> tuple[dict[str, int], bool]:
    """The grid that a Reshape makes of the layer's outputs, where the two sides fill it in another order.

    Also whether the source's is channels first. {} where there is no such grid.
    """
    ours, theirs = unflattened_output(*target), unflattened_output(*source)
    if theirs is None or ours is None or _first(theirs, ours) == _first(ours, theirs):
        return {}, False
    known = ours if ours.channels else theirs
    return (known.lengths if known.is_grid else {}), bool(_first(theirs, ours))


def unflattened_output(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that a vector becomes behind this layer, None where it stays a vector."""
    reshaped: Layer | None = None
    is_turned = False
    for after in _chain(graph, layer, graph.children):
        if after.op == "Reshape" and reshaped is None:
            reshaped = after
        elif after.op == "Permute" and reshaped is not None:
            is_turned = not is_turned
        elif after.op not in THROUGH | CHANNEL_AFFINE:
            return None if reshaped is None else _unflattened(graph, after, reshaped.output_shape, is_turned)
    return None


def _chain(graph: LayerGraph, layer: Layer, neighbours: Mapping[str, tuple[str, ...]]) -> Iterator[Layer]:
    """The layers one by one, away from this one, as long as each has a single neighbour."""
    name = layer.name
    while len(neighbours[name]) == 1:
        (name,) = neighbours[name]
        yield graph.by_name[name]


def _unflattened(graph: LayerGraph, reader: Layer, shape: Shape | None, is_turned: bool) -> Flattened | None:
    """reader: the first layer that tells where it expects channels."""
    told = data_format(graph, reader)
    if told is None:
        return None
    is_first = (told == "channels_first") != is_turned
    if shape is None:  # weights alone: the layers' order tells, no shape does
        is_likely = not graph.has_flow and reader.op in CONVOLUTIONS
        return Flattened(0, (), is_first) if is_likely else None
    return _grid(shape, is_first, is_first) if len(shape) > 2 and None not in shape else None


def _grid(shape: Shape, is_at_front: bool, is_first: bool | None) -> Flattened | None:
    """A map of known lengths; None where it has too few or too many axes.

    is_at_front: where its channels stand. is_first: whether they are read out first.
    """
    if not 1 < len(shape) < 5:
        return None
    known = tuple(int(n) for n in shape if n is not None)
    channels, space = (known[0], known[1:]) if is_at_front else (known[-1], known[:-1])
    return Flattened(channels, space, is_first, known)


def reads_channels_first(source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]) -> bool:
    a, b = _both(source, target)
    return a is not None and b is not None and bool(_first(a, b))


def _both(
    source: tuple[LayerGraph, Layer], target: tuple[LayerGraph, Layer]
) -> tuple[Flattened | None, Flattened | None]:
    """The maps on both sides.

    A state dict tells nothing of its own: torch flattens maps of channels with these first.
    """
    theirs, ours = flattened_input(*source), flattened_input(*target)
    if _is_state_dict(source[0]) and ours is not None and holds_channels(*target):
        return Flattened(0, (), True), ours
    if _is_state_dict(target[0]) and theirs is not None and holds_channels(*source):
        return theirs, Flattened(0, (), True)
    return theirs, ours


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
        before = graph.by_name[name]
        if before.op in CONVOLUTIONS:
            return True
        if before.op in ROUTES | VIEWS:
            waiting += graph.parents[name]
        elif before.op == "Input":
            return len(before.output_shape or before.attributes.get("shape") or ()) > 2
    return False


def _first(one: Flattened, other: Flattened) -> bool | None:
    """The order of values.

    Where nothing tells, the other's, or the opposite one where the shape is the other's with its channels
    moved.
    """
    if one.channels_first is not None or other.channels_first is None:
        return one.channels_first
    shift = 1 if other.channels_first else -1
    moved = other.shape[shift:] + other.shape[:shift]
    return other.channels_first != (one.shape == moved != other.shape)


def flattened_input(graph: LayerGraph, layer: Layer) -> Flattened | None:
    """The map that was flattened into this layer's input, None where there is none."""
    is_crossed = False
    is_turned = False
    for before in _chain(graph, layer, graph.parents):
        if before.op in RESHAPES:
            is_turned = is_turned != _turns(graph, before)
            is_crossed = True
        elif before.op == "Permute":
            is_turned = is_crossed != is_turned
        elif before.op not in THROUGH:
            return _flattened(graph, before, is_turned) if is_crossed else None
    return None


def _turns(graph: LayerGraph, layer: Layer) -> bool:
    """Keras's Flatten puts the channels last before it flattens a map."""
    is_first = layer.attributes.get("data_format") == "channels_first"
    return not keeps_channels_first(graph) and layer.op == "Flatten" and is_first


def _flattened(graph: LayerGraph, layer: Layer, is_turned: bool) -> Flattened | None:
    """The map that a layer gives, from which a vector is made."""
    told = data_format(graph, layer)
    is_at_front = told == "channels_first"
    is_first = None if told is None else is_at_front != is_turned
    shape = layer.output_shape
    if shape is None:
        return Flattened(0, (), is_first)
    if None in shape:
        return Flattened(0, (), is_first) if len(shape) > 1 else None
    return _grid(shape, is_at_front, is_first)
