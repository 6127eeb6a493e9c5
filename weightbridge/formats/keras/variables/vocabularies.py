"""The words that lookups know: in the config where the model was built with them, else in `assets/`."""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from weightbridge.errors import Corrupt
from weightbridge.formats.containers import read_member
from weightbridge.model.graph import Layer

Words = tuple[str | int, ...]
LOOKUPS = frozenset({"TextVectorization", "StringLookup", "IntegerLookup"})
IN_ATTRIBUTES = ("vocabulary", "vocabulary_size")
DIGITS = 16
PLACE = "vocabulary_place"  # detail: where a `.keras` file keeps the words
NOWHERE: Mapping[str, str] = {}


def with_vocabularies(
    layers: Iterable[Layer], saved: Mapping[str, Words], places: Mapping[str, str] = NOWHERE
) -> tuple[Layer, ...]:
    """The layers, lookups with a digest of their words as attribute and with all words as detail.

    saved: the words of layers that hold them beside the config, by the layers' names. places: where a
    `.keras` file keeps each of them.
    """
    return tuple(
        _with_words(layer, saved, places) if layer.class_name in LOOKUPS else layer for layer in layers
    )


def members_of(place: str) -> tuple[str, ...]:
    """The files of an archive in which Keras keeps the words of a lookup."""
    inner = ("_lookup_layer/",) if place.rpartition("/")[2].startswith("text_vectorization") else ()
    return tuple(f"assets/{place}/{part}vocabulary.txt" for part in ("", *inner))


def saved_words(opened: zipfile.ZipFile, places: Mapping[str, str], where: str) -> dict[str, Words]:
    """The words that a `.keras` file has in its assets; places: the storage path of each layer.

    Raises Corrupt for a vocabulary that is no text.
    """
    members = frozenset(opened.namelist())
    names = {layer: f"assets/{place}/vocabulary.txt" for layer, place in places.items()}
    return {
        layer: _words(read_member(opened, name, where), f"{where}: {name}")
        for layer, name in names.items()
        if name in members
    }


def _words(content: bytes, where: str) -> Words:
    try:
        return tuple(content.decode("utf-8").split("\n"))
    except UnicodeDecodeError as error:
        raise Corrupt(
            f"the vocabulary is no text in UTF-8: {error.reason}", where=where, fix="Save the model again"
        ) from error


def _with_words(layer: Layer, saved: Mapping[str, Words], places: Mapping[str, str]) -> Layer:
    special = _special(layer)
    words = saved.get(layer.name)
    if words is None or len(words) <= len(special):  # as many as a lookup has that was never adapted
        words = _configured(layer, special)
    attributes = {key: value for key, value in layer.attributes.items() if key not in IN_ATTRIBUTES}
    unknown = [n for n, word in enumerate(special) if word != _mask(layer)]
    details: dict[str, Any] = {**layer.details, "unknown_words": tuple(unknown)}
    if layer.name in places:
        details[PLACE] = places[layer.name]
    if words is not None:
        words = tuple(map(str, words))
        attributes["vocabulary"] = {"words": len(words), "sha256": _digest(words)}
        details["vocabulary"] = words
    return replace(layer, attributes=attributes, details=details)


def _configured(layer: Layer, special: Words) -> Words | None:
    """The words of the config, behind those that every lookup has; None where they are not there."""
    told = layer.attributes.get("vocabulary")
    if not isinstance(told, tuple) or not told:
        return None
    return told if told[: len(special)] == special else (*special, *told)


def _special(layer: Layer) -> Words:
    """What stands before the words: the mask, then the marks of unknown ones."""
    attributes, mask = layer.attributes, _mask(layer)
    if layer.class_name == "TextVectorization":
        return ("[UNK]",) if mask is None else (mask, "[UNK]")
    mark = attributes.get("oov_token", -1 if layer.class_name == "IntegerLookup" else "[UNK]")
    count = attributes.get("num_oov_indices", 1)
    marks = (mark,) * count if isinstance(count, int) and 0 <= count < 1 << 20 else ()
    return marks if mask is None else (mask, *marks)


def _mask(layer: Layer) -> str | int | None:
    """The word for no word, which has a number of its own in lookups that give numbers."""
    if layer.attributes.get("output_mode", "int") != "int":
        return None
    if layer.class_name == "TextVectorization":
        return ""
    mask: str | int | None = layer.attributes.get("mask_token")
    return mask


def _digest(words: Words) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:DIGITS]
