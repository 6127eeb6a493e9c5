"""Layers of a live Keras model by the names that the file readers give them: scopes joined by slashes, cells left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True, slots=True)
class LiveLayer:
    """A layer or nested model, its path, and the path of what holds it ("" for the outermost model)."""

    name: str
    layer: Any
    scope: str


def live_layers(model: Any) -> tuple[LiveLayer, ...]:
    """All layers below the model, parents before what they hold, each once; names are unique."""
    return tuple(_walk(model, "", set()))


def by_name(model: Any) -> Mapping[str, Any]:
    return {one.name: one.layer for one in live_layers(model)}


def children(layer: Any) -> tuple[Any, ...]:
    """What a layer holds directly. A recurrent layer and its cell are one layer here, so what the cell holds counts as the layer's."""
    held = tuple(layer._flatten_layers(include_self=False, recursive=False))
    if isinstance(layer, keras.layers.RNN):
        return tuple(inner for cell in held for inner in children(cell))
    return held


def variables(layer: Any) -> tuple[Any, ...]:
    """A layer's own variables, in the order in which Keras stores them; a recurrent layer's are its cell's. No seeds, no metrics."""
    if isinstance(layer, keras.layers.RNN):
        return tuple(v for cell in layer._flatten_layers(include_self=False, recursive=False) for v in variables(cell))
    return (*layer._trainable_variables, *layer._non_trainable_variables)


def _walk(layer: Any, scope: str, seen: set[int]) -> Iterator[LiveLayer]:
    taken: set[str] = set()
    for inner in children(layer):
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        name = _unique(f"{scope}/{inner.name}" if scope else inner.name, taken)
        yield LiveLayer(name, inner, scope)
        yield from _walk(inner, name, seen)


def _unique(name: str, taken: set[str]) -> str:
    found, i = name, 0
    while found in taken:
        i += 1
        found = f"{name}_{i}"
    taken.add(found)
    return found
