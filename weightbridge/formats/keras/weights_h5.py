"""Keras 3's `.weights.h5` and its sharded `.weights.json`: variables by storage path, no architecture."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from weightbridge.errors import Corrupt, Unsupported
from weightbridge.formats.containers import whole
from weightbridge.formats.hdf5.read import read_tree
from weightbridge.formats.hdf5.tree import Group
from weightbridge.formats.hdf5.write import patched_copy
from weightbridge.formats.keras.variables.loose import chain, stored_layers, unique
from weightbridge.formats.keras.variables.quantised import with_effective
from weightbridge.formats.keras.variables.shards import is_shard_map, read_shards
from weightbridge.formats.keras.variables.tensors import datasets_of, with_copies
from weightbridge.formats.keras.variables.tree import VariableStore, excluded, foreign
from weightbridge.formats.streamed import Value
from weightbridge.model.graph import LayerGraph
from weightbridge.model.layouts import with_axes
from weightbridge.model.tensors import Tensor

FORMAT = "keras-weights-h5"


def read(path: Path) -> LayerGraph:
    """Layers by the user's names where the file keeps them, in the order in which they were saved."""
    if not is_shard_map(path):
        return replace(graph_of_variables(path, read_tree(whole(path)), FORMAT), order="class")
    root, shards = read_shards(path)
    return replace(graph_of_variables(path, root, FORMAT), order="class", files=tuple(map(str, shards)))


def write(template: LayerGraph, output: Path, values: Iterable[tuple[Tensor, Value]]) -> None:
    """Copies the template's file and replaces the given tensors.

    Raises Unsupported for a sharded template.
    """
    path = Path(template.path)
    if is_shard_map(path):
        raise Unsupported(
            "weights in shards can be read but not written",
            where=str(path),
            fix="Give a .weights.h5 or .keras file as target",
        )
    patched_copy(whole(path), output, with_copies(values), datasets_of(template.tensors))


def graph_of_variables(path: Path, root: Group, format: str, producer: str = "keras 3") -> LayerGraph:
    """The graph of a file that holds variables and no architecture."""
    store = VariableStore(root)
    layers = unique(
        layer for stored in store.rest() for layer in stored_layers(stored, stored.name, store.tensor)
    )
    if not any(layer.tensors for layer in layers):
        raise Corrupt(
            "the file holds no weights", where=str(path), fix="Build the model before its weights are saved"
        )
    graph = LayerGraph(
        path=str(path),
        format=format,
        framework="keras",
        producer=producer,
        layers=with_axes(layers, "keras"),
        edges=chain(layers),
        excluded=excluded(root, layers),
        findings=foreign(root, layers),
    )
    return with_effective(graph)
