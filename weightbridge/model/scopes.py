"""Scopes: the blocks that names name, `enc.layers.0` of `enc.layers.0.norm1`."""

from collections.abc import Iterable

from weightbridge.model.graph import Layer, LayerGraph

SEPARATORS = (".", "/")
LISTED = "`weightbridge inspect MODEL` lists the names of layers and tensors"


def scopes_of(names: Iterable[str]) -> tuple[str, ...]:
    """All scopes of some names, in the order in which they first appear."""
    found: dict[str, None] = {}
    for name in names:
        scope = outer(name)
        missing = []
        while scope and scope not in found:
            missing.append(scope)
            scope = outer(scope)
        found.update(dict.fromkeys(reversed(missing)))
    return tuple(found)


def names_of(graph: LayerGraph) -> tuple[str, ...]:
    """All that a glob may name: layers, their tensors, and the scopes that layers with tensors stand in."""
    scopes = scopes_of(layer.name for layer in graph.layers if layer.tensors)
    return tuple(dict.fromkeys((*scopes, *graph.by_name, *graph.owner)))


def outer(name: str) -> str:
    """The scope that a name stands in; "" for none."""
    return name[: max(name.rfind(separator) for separator in SEPARATORS)] if is_scoped(name) else ""


def is_scoped(name: str) -> bool:
    return max(name.rfind(separator) for separator in SEPARATORS) > 0


def is_inside(name: str, scope: str) -> bool:
    """Whether a name is a scope's own, or of something in it."""
    return name.startswith(scope) and name[len(scope) : len(scope) + 1] in ("", *SEPARATORS)


def layers_inside(graph: LayerGraph, scope: str) -> tuple[Layer, ...]:
    """The layer of this name, and those below it."""
    return tuple(layer for layer in graph.layers if is_inside(layer.name, scope))
