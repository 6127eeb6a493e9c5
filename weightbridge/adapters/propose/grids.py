"""Dense kernels behind a flattened map: channels stay channels, and the grid is resampled."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt, prod

from weightbridge.adapters.apply.maps import Rule
from weightbridge.adapters.propose.groups import Groups
from weightbridge.adapters.propose.setting import Partners, Setting
from weightbridge.matching.units.flattening import flattened_input, reads_channels_first
from weightbridge.model.graph import LayerGraph

Sizes = Mapping[int, int]  # of the channel groups


@dataclass(frozen=True, slots=True)
class Grid:
    """What a dense layer reads: the places of a map, () for one, and its channels."""

    space: tuple[int, ...]
    channels: int


def grids(setting: Setting, p: Partners, sizes: Sizes, ends: tuple[int, int]) -> tuple[Grid, Grid] | None:
    """The source's and the target's, None where one is not known; sizes: of the target's groups in the
    source.

    ends: how many inputs the layer has on both sides.
    """
    ours = _grid(setting.target, setting.groups, p.layer.name, ends[1])
    if ours is None:
        return None
    if setting.source.has_flow:
        theirs = _grid(setting.source, setting.source_groups, p.source_layer.name, ends[0])
    else:
        theirs = _guessed(ends[0], _channels(setting, p, sizes), len(ours.space))
    return None if theirs is None else (theirs, ours)


def grid_rule(setting: Setting, p: Partners, theirs: Grid, ours: Grid) -> Rule | None:
    """The rule from one grid to another, None where they have another number of axes."""
    rank = max(len(theirs.space), len(ours.space))
    before, after = (grid.space or (1,) * rank for grid in (theirs, ours))
    if len(before) != len(after):
        return None
    rule: dict[str, object] = {
        "rule": "grid",
        "from": before,
        "to": after,
        "channels": {"rule": "share", "from": (theirs.channels,), "to": (ours.channels,)},
    }
    places = (setting.source, p.source_layer), (setting.target, p.layer)
    if prod(before) > 1 and reads_channels_first(*places):
        rule["source_order"] = "inner"
    if prod(after) > 1 and reads_channels_first(*reversed(places)):
        rule["target_order"] = "inner"
    return rule


def _grid(graph: LayerGraph, groups: Groups, layer: str, inputs: int) -> Grid | None:
    found = flattened_input(graph, graph.by_name[layer])
    if found is not None and found.channels and found.channels * prod(found.space) == inputs:
        return Grid(found.space if prod(found.space) > 1 else (), found.channels)
    axis = groups.read.get(layer)
    is_plain = axis is not None and axis.outer == axis.inner == 1
    return Grid((), inputs) if is_plain and found is None else None


def _channels(setting: Setting, p: Partners, sizes: Sizes) -> int:
    """How many channels the layer reads in the source, 0 where that is not known."""
    axis = setting.groups.read.get(p.layer.name)
    if axis is None or not sizes.keys() >= set(axis.parts):
        return 0
    return sum(sizes[group] for group in axis.parts)


def _guessed(inputs: int, channels: int, rank: int) -> Grid | None:
    """The grid of a file without data flow: a square or a line, with as many channels as its writer."""
    if not channels or inputs % channels:
        return None
    places = inputs // channels
    if places == 1:
        return Grid((), channels)
    if rank == 1:
        return Grid((places,), channels)
    side = isqrt(places)
    return Grid((side, side), channels) if rank in (0, 2) and side * side == places else None
