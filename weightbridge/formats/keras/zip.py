"""Keras 3's `.keras`: a zip of config.json, metadata.json and model.weights.h5."""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weightbridge.formats.containers import archive, member_region, read_member
from weightbridge.formats.hdf5.archive import is_summed_archive, patched_archive, with_members
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.hdf5.write import patched_copy
from weightbridge.formats.keras.architecture.config import ConfigLayer, parse_json, parse_model
from weightbridge.formats.keras.architecture.dialects import Origin, normalised
from weightbridge.formats.keras.model import custom_finding, custom_name, graph_of_model
from weightbridge.formats.keras.variables.lookups import lookup_places, with_lookups
from weightbridge.formats.keras.variables.quantised import with_effective
from weightbridge.formats.keras.variables.tensors import datasets_of, with_copies
from weightbridge.formats.keras.variables.tree import VariableStore, excluded, foreign
from weightbridge.formats.keras.variables.vocabularies import (
    PLACE,
    Words,
    members_of,
    saved_words,
    with_vocabularies,
)
from weightbridge.formats.streamed import Value
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.rules.dialects import version_of

FORMAT = "keras-zip"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def read(path: Path) -> LayerGraph:
    """Raises Corrupt for a broken archive or config, Unsupported for weights that are no HDF5."""
    from weightbridge.formats.hdf5.read import read_tree  # a file that is written is known without

    with archive(path) as opened:
        where = f"{path}: {CONFIG}"
        config = parse_json(read_member(opened, CONFIG, str(path)), where)
        metadata = (
            parse_json(read_member(opened, METADATA, str(path)), f"{path}: {METADATA}")
            if METADATA in opened.namelist()
            else {}
        )
        root = read_tree(member_region(path, opened, WEIGHTS))
        return graph_of(path, parse_model(config, where), _version(metadata), root, opened)


def graph_of(
    path: Path, told: ConfigLayer, version: str, root: Group, opened: zipfile.ZipFile | None = None
) -> LayerGraph:
    """The graph of an archive of which model and tree are known; opened: where words may stand in it."""
    where, producer = f"{path}: {CONFIG}", f"keras {version}"
    model, findings = normalised(told, Origin(version_of(version)), where)

    def words(places: Mapping[str, str]) -> Mapping[str, Words]:
        return saved_words(opened, places, str(path)) if opened else {}

    if model.kind == "layer":
        places = {name: at for name, (at, _) in lookup_places(root).items()}
        return _subclassed(path, model, root, producer, words(places))
    store = VariableStore(root)
    graph = graph_of_model(path, FORMAT, producer, model, lambda _: store, findings)
    layers = with_vocabularies(graph.layers, words(store.places), store.places)
    findings = (*graph.findings, *foreign(root, layers))
    graph = replace(graph, layers=layers, excluded=excluded(root, layers), findings=findings)
    return with_effective(graph)


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> int | None:
    """The template's archive with the given tensors replaced: all other members stay byte for byte as they
    are.

    With an output called `.weights.h5` its weights alone. The checksum of the file, where it is known.
    """
    path, datasets = Path(template.path), datasets_of(template.tensors)
    values = with_copies(values)
    if not output.name.endswith(".weights.h5"):
        return patched_archive(path, output, WEIGHTS, values, datasets)
    with archive(path) as opened:
        return patched_copy(member_region(path, opened, WEIGHTS), output, values, datasets)


def is_summed(template: LayerGraph) -> bool:
    """Whether `write` tells the checksum of the file."""
    return is_summed_archive(Path(template.path), WEIGHTS, datasets_of(template.tensors))


def write_words(template: LayerGraph, output: Path, words: Mapping[str, Words]) -> None:
    """Give lookups of a written `.keras` their words, by the layers' names."""
    members: dict[str, bytes] = {}
    for name, told in words.items():
        place = template.by_name[name].details.get(PLACE, "")
        members |= dict.fromkeys(members_of(str(place)), "\n".join(map(str, told)).encode("utf-8"))
    with_members(output, members)


def _version(metadata: Any) -> str:
    found = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else "3"


def _subclassed(
    path: Path, model: ConfigLayer, root: Group, producer: str, words: Mapping[str, Words]
) -> LayerGraph:
    """The config tells class and arguments, the file its variables; calls are in the class's code."""
    from weightbridge.formats.keras.weights_h5 import graph_of_variables

    graph = graph_of_variables(path, root, FORMAT, producer)
    layers = with_lookups(graph.layers, root, words, model.config)
    findings = (*graph.findings, custom_finding(custom_name(model), [model.name]))
    return replace(graph, layers=layers, findings=findings)
