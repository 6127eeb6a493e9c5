"""The variables of a live model by the paths under which Keras 3 would store them: the same tree that a saved
file has, unsaved.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
from keras.src.saving.keras_saveable import (
    KerasSaveable,
)  # Keras has no public name for what it walks when it saves
from keras.src.saving.saving_lib import _walk_saveable

from weightbridge.formats.containers import Region
from weightbridge.formats.hdf5.tree import Dataset, Group
from weightbridge.formats.keras.architecture.classes import snake_case
from weightbridge.model.tensors import dtype_of

LOOKUPS = (keras.layers.TextVectorization, keras.layers.StringLookup, keras.layers.IntegerLookup)
NOWHERE = Region(Path(), 0, 0, "a live model")


@dataclass(slots=True)
class Storage:
    """Groups as a saved file would have them, each dataset's variable, and the words of lookups."""

    root: Group = field(default_factory=lambda: Group("", 0, {}, {}))
    variables: dict[str, Any] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)


def storage_of(model: Any) -> Storage:
    """Walks the model as Keras does when it saves; nothing is copied.

    Layers that were never built have no variables.
    """
    found = Storage()
    for address, (path, saveable) in enumerate(_saveables(model, "", set()), 1):
        own: dict[str, Any] = {}
        if hasattr(saveable, "save_own_variables"):
            saveable.save_own_variables(own)
        if isinstance(saveable, LOOKUPS):
            found.words[path] = tuple(map(str, saveable.get_vocabulary()))
        name = getattr(saveable, "name", None)
        _add(found, path, own, {"name": name} if isinstance(name, str) else {}, address)
    return found


def _saveables(saveable: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(saveable) in seen:
        return
    seen.add(id(saveable))
    yield path, saveable
    for attribute, child in _walk_saveable(saveable):
        yield from _below(child, f"{path}/{attribute}" if path else attribute, seen)


def _below(child: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """A part that is saved, or a list or dict of them, which are named by class and counter."""
    if isinstance(child, KerasSaveable):
        yield from _saveables(child, path, seen)
    elif isinstance(child, list | dict | tuple) and id(child) not in seen:
        seen.add(id(child))
        parts = child.values() if isinstance(child, dict) else child
        for part, name in _numbered(parts):
            yield from _below(part, f"{path}/{name}", seen)


def _numbered(parts: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """The parts that are saved, with their names: dense, dense_1, ..."""
    used: dict[str, int] = {}
    for part in parts:
        if isinstance(part, KerasSaveable | list | dict | tuple):
            kind = snake_case(type(part).__name__) if isinstance(part, KerasSaveable) else "container"
            used[kind] = used.get(kind, -1) + 1
            yield part, f"{kind}_{used[kind]}" if used[kind] else kind


def _add(storage: Storage, path: str, own: dict[str, Any], attributes: dict[str, str], address: int) -> None:
    group = storage.root
    for part in [*(path.split("/") if path else []), "vars"]:
        below = f"{group.path}/{part}" if group.path else part
        children: Any = group.children
        group = children.setdefault(part, Group(below, address, attributes if part == "vars" else {}, {}))
    children = group.children
    for key, variable in sorted(own.items(), key=lambda pair: _natural(pair[0])):
        place = f"{group.path}/{key}"
        children[key] = Dataset(place, tuple(variable.shape), dtype_of(_dtype(variable)), None, 0, NOWHERE)
        storage.variables[place] = variable


def _dtype(variable: Any) -> str:
    """Of a variable, a tensor or an array: `float32`, `bfloat16`, ... (LoRA's merged kernels are tensors)."""
    return str(keras.backend.standardize_dtype(variable.dtype))


def _natural(key: str) -> tuple[int, str]:
    digits = re.fullmatch(r"\d+", key)
    return (int(key) if digits else -1, key)
