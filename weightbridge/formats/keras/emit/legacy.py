"""A whole model in Keras's older layout, `.h5`, as Keras 3 reads it: by the order of layers and weights."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from weightbridge.formats.hdf5.write import written_to
from weightbridge.formats.keras.emit.places import Place
from weightbridge.formats.keras.emit.skeleton import NARROW, VERSION, allocate
from weightbridge.formats.keras.h5 import WEIGHTS

MOST = 64 << 10  # bytes of an attribute in an object's header


def write_legacy_skeleton(path: Path, config: Any, places: Iterable[Place]) -> None:
    """The same configuration gives the same bytes. Raises OutputError where the file cannot be written."""
    with written_to(path), h5py.File(path, "w") as file:
        _write(file, config, _by_layer(config, places))


def _write(file: h5py.File, config: Any, layers: Mapping[str, Sequence[Place]]) -> None:
    file.attrs["keras_version"], file.attrs["backend"] = VERSION, "tensorflow"
    file.attrs["model_config"] = json.dumps(config)
    group = file.create_group(WEIGHTS)
    group.attrs["keras_version"], group.attrs["backend"] = VERSION, "tensorflow"
    _put_names(group, "layer_names", list(layers))
    for name, places in layers.items():
        own = group.create_group(name)
        weights = [f"{place.layer}/{place.name}" for place in places]
        _put_names(own, "weight_names", weights)
        for weight, place in zip(weights, places, strict=True):
            # Keras loads no bfloat16 from this layout, and makes it of float32
            dtype = "float32" if place.dtype == NARROW else place.dtype
            allocate(file, f"{WEIGHTS}/{name}/{weight}", replace(place, dtype=dtype))


def _put_names(group: h5py.Group, key: str, names: Sequence[str]) -> None:
    """In several attributes where one has no room (`weight_names0`, `weight_names1`, ...)."""
    encoded = np.array([name.encode() for name in names])
    if encoded.nbytes < MOST:
        group.attrs[key] = encoded
        return
    count = -(-encoded.nbytes // (MOST // 2))
    for number, part in enumerate(np.array_split(encoded, count)):
        group.attrs[f"{key}{number}"] = part


def _by_layer(config: Any, places: Iterable[Place]) -> dict[str, list[Place]]:
    """By the layers of the outermost model, in Keras's order: first what is trained, then the rest."""
    in_order = sorted(
        (place for place in places if not place.is_copy), key=lambda place: _rank(config, place.layer)
    )
    layers: dict[str, list[Place]] = {}
    for place in in_order:
        layers.setdefault(place.layer.split("/")[0], []).append(place)
    return {name: sorted(own, key=lambda place: not place.trainable) for name, own in layers.items()}


def _rank(config: Any, layer: str) -> tuple[int, ...]:
    """Where the layer stands in its model, and that in the model around it."""
    rank, model = [], config["config"]
    for name in layer.split("/"):
        names = [one["config"]["name"] for one in model.get("layers", ())]
        if name not in names:
            break
        rank.append(names.index(name))
        model = model["layers"][rank[-1]]["config"]
    return tuple(rank)
