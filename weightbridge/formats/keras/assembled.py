"""Weights in one file and their architecture in another: read as one model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from weightbridge.errors import Unsupported
from weightbridge.formats.containers import archive, read_member, whole
from weightbridge.formats.hdf5.read import read_tree
from weightbridge.formats.keras import h5, zip
from weightbridge.formats.keras.architecture.config import parse_json, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised
from weightbridge.formats.keras.architecture.refusals import config_of
from weightbridge.formats.keras.model import graph_of_model
from weightbridge.formats.keras.variables.tree import VariableStore, excluded
from weightbridge.formats.sniffing.content import sniff
from weightbridge.model.graph import LayerGraph
from weightbridge.rules.dialects import version_of

LEGACY = ("keras-h5", "keras-h5-weights")
Told = tuple[Any, tuple[int, ...]]  # a configuration, and the version of the Keras that wrote it


def read_assembled(weights: Path, architecture: Path) -> LayerGraph:
    """The model of `architecture` with the weights of another file.

    Raises Unsupported where the one holds no configuration, or the other no weights of Keras.
    """
    config, version = told(architecture)
    format = sniff(weights)
    if format in LEGACY:
        return h5.read_as(weights, config, version)
    if format != "keras-weights-h5":
        message = f"a {format} file holds no weights that an architecture apart from them can name"
        raise Unsupported(message, where=str(weights), fix="give a .h5 or .weights.h5 file of Keras")
    root = read_tree(whole(weights))
    store = VariableStore(root)
    where = str(architecture)
    model, findings = normalised(parse_model(config, where), Origin(version), where)
    producer = f"keras {'.'.join(map(str, version))}"
    graph = graph_of_model(weights, format, producer, model, lambda _: store, findings)
    return replace(graph, excluded=excluded(root, graph.layers))


def write_whole(weights: Path, architecture: Path, output: Path) -> None:
    """One `.h5` of both in Keras's older layout, for a Keras that reads whole files."""
    config, version = told(architecture)
    with h5py.File(weights, "r") as given, h5py.File(output, "w") as file:
        held = given.get(h5.WEIGHTS, given)
        group = file.create_group(h5.WEIGHTS)
        for name in held:
            held.copy(name, group)
        for name, value in held.attrs.items():
            group.attrs[name] = value
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"], file.attrs["backend"] = ".".join(map(str, version)), "tensorflow"


def told(path: Path) -> Told:
    """What a whole file, or a JSON of the architecture, says."""
    match sniff(path):
        case "keras-json":
            return _of_json(path)
        case "keras-h5":
            version = str(read_tree(whole(path)).attributes.get("keras_version", ""))
            return config_of(path), version_of(version) or (1,)
        case "keras-zip":
            with archive(path) as opened:
                metadata = parse_json(read_member(opened, zip.METADATA, str(path)), str(path))
            return config_of(path), version_of(metadata.get("keras_version")) or (3,)
        case format:
            fix = "give a model's JSON, or a whole .h5 or .keras file"
            raise Unsupported(f"a {format} file holds no architecture of Keras", where=str(path), fix=fix)


def _of_json(path: Path) -> Told:
    value = parse_json(path.read_bytes(), str(path))
    value = parse_json(value, str(path)) if isinstance(value, str) else value
    told = value if isinstance(value, dict) else {}
    return value, version_of(told.get("keras_version")) or ((3,) if told.get("module") else (2,))
