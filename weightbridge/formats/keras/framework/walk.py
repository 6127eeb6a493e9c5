"""Layers of a live Keras model by the names that the file readers give them.

Scopes joined by slashes, cells left out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.saving.saving_lib import (
    _walk_saveable,
)  # Keras has no public name for what it walks when it saves

from weightbridge.formats.keras.architecture.classes import snake_case


@dataclass(frozen=True, slots=True)
class LiveLayer:
    """A layer or nested model, its path, and the path of what holds it ("" for the outermost model)."""

    name: str
    layer: Any
    scope: str


def live_layers(model: Any) -> tuple[LiveLayer, ...]:
    """All layers below the model, parents before what they hold, each once; names are unique."""
    return tuple(_walk(model, "", set()))


def _walk(layer: Any, scope: str, seen: set[int]) -> Iterator[LiveLayer]:
    taken: set[str] = set()
    for label, inner in _children(layer):
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        name = _unique(f"{scope}/{label}" if scope else label, taken)
        yield LiveLayer(name, inner, scope)
        yield from _walk(inner, name, seen)


def _children(layer: Any) -> Iterator[tuple[str, Any]]:
    """What a layer holds directly, and what it is called there.

    A recurrent layer and its cell are one layer.
    """
    if layer._obj_type() in ("Functional", "Sequential"):
        yield from ((inner.name, inner) for inner in layer.layers)
    elif isinstance(layer, keras.layers.RNN):
        yield from _held(layer.cell)
    else:
        yield from _held(layer)


def _held(layer: Any) -> Iterator[tuple[str, Any]]:
    """By attribute, in Keras's order of saving, the first where two name one thing.

    In a list or dict the attribute's name comes first.
    """
    parts = list(
        {id(part): (attribute, part) for attribute, part in reversed(list(_walk_saveable(layer)))}.values()
    )[::-1]
    yield from _labelled(
        [(attribute, part) for attribute, part in parts if isinstance(part, keras.layers.Layer)]
    )
    for attribute, part in parts:
        if isinstance(part, list | tuple | dict):
            members = part.values() if isinstance(part, dict) else part
            inside = [(snake_case(type(m).__name__), m) for m in members if isinstance(m, keras.layers.Layer)]
            yield from ((f"{attribute}/{label}", inner) for label, inner in _labelled(inside))


def _labelled(parts: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """By the layers' own names where these tell them apart, else by what holds them."""
    counts = Counter(part.name for _, part in parts)
    yield from ((part.name if counts[part.name] == 1 else key, part) for key, part in parts)


def _unique(name: str, taken: set[str]) -> str:
    found, i = name, 0
    while found in taken:
        i += 1
        found = f"{name}_{i}"
    taken.add(found)
    return found
