"""The data flow of a SavedModel that no Keras metadata tell: what its serving signature computes."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from weightbridge.errors import ModelError
from weightbridge.formats.tensorflow.bundle.entries import STRING
from weightbridge.formats.tensorflow.bundle.read import Bundle
from weightbridge.formats.tensorflow.bundle.values import load
from weightbridge.formats.tensorflow.checkpoint.names import Named
from weightbridge.formats.tensorflow.graphs.read import flow, traced
from weightbridge.formats.tensorflow.saved_model.proto import MetaGraph
from weightbridge.formats.wire import Buffer
from weightbridge.model.graph import LayerGraph
from weightbridge.model.tensors import Tensor
from weightbridge.model.vocabulary import UNKNOWN

NO_NUMBERS = ("", STRING)
MATRIX = 2  # axes


def stored_tensors(bundle: Bundle, named: Iterable[Named]) -> dict[str, Tensor]:
    """By key: the tensors of a checkpoint."""
    tensors = {}
    for variable in named:
        entry = bundle.entries[variable.key]
        if entry.dtype not in NO_NUMBERS:
            values = partial(load, bundle, variable.key)
            tensors[variable.key] = Tensor(variable.name, "", entry.shape, entry.dtype, variable.key, values)
    return tensors


def with_flow(
    path: Path, data: Buffer, meta: MetaGraph, stored: Mapping[str, Tensor], without: LayerGraph
) -> LayerGraph:
    """The layers with data flow where the graph tells it and reads every weight; else those without."""
    if meta.graph is None:
        return without
    try:
        graph = flow(path, without.format, traced(path, data, meta.graph, meta.signatures, stored))
    except ModelError:
        return without  # a graph that cannot be followed: names still tell the weights
    is_whole = without.tensor_by_name.keys() <= graph.tensor_by_name.keys()
    return graph if is_whole and not _is_vaguer(graph, without) else without


def _is_vaguer(graph: LayerGraph, without: LayerGraph) -> bool:
    """Whether weights belong to layers of which the graph tells less than their names do.

    A loop is no layer of a known class; a product of heads is a matrix that is stored in three axes.
    """
    lost = [t.name for layer in graph.layers if layer.op in UNKNOWN for t in layer.tensors]
    lost += [t.name for layer in graph.layers if layer.op == "Dense" for t in layer.tensors if _is_cut(t)]
    return any(name in without.owner and without.owner[name].op not in UNKNOWN for name in lost)


def _is_cut(tensor: Tensor) -> bool:
    return tensor.role == "kernel" and len(tensor.shape) != MATRIX
