"""Globs of --map that join only some of the layers that they meet (WB212)."""

from collections.abc import Collection, Iterator, Mapping

from weightbridge.boundary.globs import mapped
from weightbridge.boundary.options import Options
from weightbridge.errors.diagnostics import Finding, finding, listed
from weightbridge.model.graph import Layer, LayerGraph
from weightbridge.model.scopes import names_of, scopes_of

SHOWN = 5
FIX = "map those too, each by its name, or write a glob that meets only what it joins"


def maps_in_part(source: LayerGraph, target: LayerGraph, options: Options) -> Iterator[Finding]:
    """A finding for each map whose glob meets layers of the source that it joins with nothing."""
    theirs, ours = names_of(source), frozenset(names_of(target))
    for left, right in options.map:
        if left not in theirs:
            yield from _in_part(source, f"--map {left}={right}", dict(mapped(left, right, theirs)), ours)


def _in_part(
    source: LayerGraph, option: str, wanted: Mapping[str, str], ours: Collection[str]
) -> Iterator[Finding]:
    """wanted: what the glob meets, with the names that it gives to the target."""
    joined = frozenset(name for name, other in wanted.items() if other in ours)
    layers = [layer for layer in source.layers if layer.tensors]
    meant = [layer for layer in layers if not wanted.keys().isdisjoint(_names(layer))]
    left_out = [layer for layer in meant if joined.isdisjoint(_names(layer))]
    if left_out:
        yield _said(option, [_missed(layer, wanted) for layer in left_out], len(meant))


def _names(layer: Layer) -> tuple[str, ...]:
    """All names by which a map may mean a layer or a part of it."""
    return (*scopes_of((layer.name,)), layer.name, *(tensor.name for tensor in layer.tensors))


def _missed(layer: Layer, wanted: Mapping[str, str]) -> str:
    """A layer that is left out, and the name that the target lacks."""
    name = next(name for name in (layer.name, *reversed(_names(layer))) if name in wanted)
    return f"{layer.name} ({wanted[name]})"


def _said(option: str, left_out: list[str], count: int) -> Finding:
    message = (
        f"{option}: {len(left_out)} of the {count} layers that it meets are left out, as the target has no "
        f"layers of these names: {listed(left_out, SHOWN)}"
    )
    return finding("WB212", message, source=left_out[0].partition(" ")[0], fix=FIX)
