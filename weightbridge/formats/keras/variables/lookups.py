"""Lookups of a subclassed model: which layers they are, and their words, by what the file holds of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.keras.variables.groups import user_name
from weightbridge.formats.keras.variables.vocabularies import Words, with_vocabularies
from weightbridge.model.graph import Layer

FOLDERS = {
    "string_lookup": "StringLookup",
    "integer_lookup": "IntegerLookup",
    "text_vectorization": "TextVectorization",
}
COUNTER = re.compile(r"_\d+$")


def lookup_places(root: Group) -> dict[str, tuple[str, str]]:
    """By the user's name of each lookup: its place in the file and its class."""
    return {
        user_name(group) or name: (group.path.strip("/"), FOLDERS[kind]) for name, kind, group in _below(root)
    }


def _below(group: Group) -> Iterator[tuple[str, str, Group]]:
    for name, child in group.children.items():
        if isinstance(child, Group):
            kind = COUNTER.sub("", name)
            if kind in FOLDERS:
                yield name, kind, child
            else:
                yield from _below(child)


def with_lookups(
    layers: Iterable[Layer], root: Group, saved: Mapping[str, Words], config: Mapping[str, Any]
) -> tuple[Layer, ...]:
    """The layers with the words of lookups: from the assets, else the one list of words in the arguments."""
    places = lookup_places(root)
    told = _lists(config)
    words = {"vocabulary": told[0]} if len(places) == len(told) == 1 else {}
    named = (_as_lookup(layer, places, words) for layer in layers)
    return with_vocabularies(named, saved)


def _as_lookup(layer: Layer, places: Mapping[str, tuple[str, str]], words: Mapping[str, Words]) -> Layer:
    if layer.name not in places or layer.tensors:
        return layer
    return replace(layer, class_name=places[layer.name][1], attributes={**layer.attributes, **words})


def _lists(config: Mapping[str, Any]) -> list[Words]:
    """The lists of words, or of numbers, among the arguments of the model's class."""
    lists = (value for value in config.values() if isinstance(value, list | tuple) and len(value) > 1)
    return [tuple(value) for value in lists if all(isinstance(word, str) for word in value)]
